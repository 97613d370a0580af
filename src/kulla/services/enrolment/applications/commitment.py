"""What an application says, in the one spelling that is sealed and committed to. Pure.

Whoever has the salt and the facts can compute the commitment again: the family's page, the
allocation job, an auditor's transcript. Without the salt it says nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from kulla.kernel.canonical import encode
from kulla.kernel.errors import KullaError
from kulla.services.enrolment.policy.rules import Claim, Facts

SALT_BYTES: Final = 32
PADDED_BYTES: Final = 1000


class FactsInvalid(KullaError):
    """Sealed facts that opened to something else than facts."""


def commitment_of(
    salt: bytes, grade: str, choices: Sequence[str], together: bool, facts: Facts
) -> bytes:
    """The 32 bytes that stand for an application in the journal and in public.

    SHA-256(salt || deterministic CBOR of [grade, choices, together, facts]), with facts as
    {"claims": [[kind, at]...], "siblings": [child...], "area": area}. `salt` has 32 bytes.
    """
    assert len(salt) == SALT_BYTES
    about = encode([grade, list(choices), together, _plain(facts)])
    return hashlib.sha256(salt + about).digest()


def facts_text(facts: Facts) -> str:
    """Facts as the JSON that is sealed under the child's key.

    Blanks behind it make nearly all of them equally long: the length of what is sealed must not
    tell who has a claim.
    """
    text = json.dumps(_plain(facts), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text + " " * (PADDED_BYTES - len(text.encode()))


def facts_of(text: str) -> Facts:
    """The inverse of `facts_text`. Raises FactsInvalid."""
    try:
        plain = json.loads(text)
        return Facts(
            claims=tuple(Claim(str(kind), str(at)) for kind, at in plain["claims"]),
            siblings=tuple(str(child) for child in plain["siblings"]),
            area=str(plain["area"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise FactsInvalid(
            f"the facts of an application can't be read ({error}).",
            place="facts",
            remedy="Have the family or a counter send the application again.",
        ) from error


def _plain(facts: Facts) -> dict[str, str | list[str] | list[list[str]]]:
    return {
        "claims": [[claim.kind, claim.at] for claim in facts.claims],
        "siblings": list(facts.siblings),
        "area": facts.area,
    }
