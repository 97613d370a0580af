"""A family's check of its own application and result against the public transcript.

The same steps can be done anywhere, with the salt that this page shows and nothing of this site but
the transcript: docs/services/enrolment-results.md says how, and the page says where.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kulla.services.enrolment.applications.commitment import commitment_of, facts_of
from kulla.services.enrolment.models import Application, Round
from kulla.services.enrolment.policy.lottery import number_at, shown
from kulla.services.enrolment.policy.transcript import result_hash
from kulla.services.enrolment.results import reading
from kulla.services.enrolment.results.inputs import FACTS, SALT
from kulla.services.pages import PageRequest


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """What was computed and found. `transcript`: whether the named transcript is here at all.

    `committed`: the application hashes to its commitment; `listed`: that is in the public list;
    `resulted`: the result hashes to one that is there. All values in hex or JSON, to do it again.
    """

    transcript: bool = False
    committed: bool = False
    listed: bool = False
    resulted: bool = False
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every step held."""
        return self.committed and self.listed and self.resulted


def check_own(
    request: PageRequest,
    row: Round,
    application: Application | None,
    told: Mapping[str, Any] | None,
) -> OwnCheck:
    """Do all steps. Raises KullaError where the keeper does not answer."""
    path = reading.transcript(row)
    if application is None or path is None or told is None or row.seed is None:
        return OwnCheck(transcript=path is not None)
    sealed = {FACTS: bytes(application.facts_sealed), SALT: bytes(application.salt_sealed)}
    why = "who acts for the child checks its result"
    opened = request.tower.open(application.child, sealed, why)
    salt, facts = bytes.fromhex(opened[SALT]), facts_of(opened[FACTS])
    choices, together = json.loads(application.choices), bool(application.together)
    made = commitment_of(salt, application.grade, choices, together, facts)
    commitment = bytes(application.commitment)
    programme, choice = str(told["programme"]), int(told["choice"])
    lead = bytes.fromhex(str(told["lead"]))
    digest = result_hash(salt, commitment, programme, choice)
    values = {
        "salt": salt.hex(),
        "grade": application.grade,
        "choices": json.dumps(choices),
        "together": json.dumps(together),
        "facts": opened[FACTS],
        "commitment": commitment.hex(),
        **({"lead": lead.hex()} if lead else {}),
        "number": _numbers(row, commitment, choices, lead),
        "result": json.dumps([programme, choice]),
        "digest": digest.hex(),
    }
    return OwnCheck(
        transcript=True,
        committed=made == commitment,
        listed=reading.stands_in(path, commitment),
        resulted=reading.stands_in(path, digest),
        values=values,
    )


def _numbers(row: Round, commitment: bytes, choices: list[str], lead: bytes) -> str:
    """The child's lottery number; where each programme draws by itself, one for each choice."""
    rules = reading.rules_of(row)
    assert row.seed is not None
    seed = bytes(row.seed)
    found = {one: shown(number_at(rules, seed, commitment, one, lead)) for one in choices}
    if rules.tie_break == "single":
        return next(iter(found.values()), "")
    return json.dumps(found)
