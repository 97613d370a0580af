"""What enrolment holds about a child, for the page on which people see all that is stored.

The rows are read here; what is sealed in them is opened by who shows the page, one field at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kulla.services.enrolment.models import (
    Appeal,
    Application,
    Child,
    Claim,
    Document,
    Result,
    School,
)
from kulla.services.enrolment.rounds.words import KINDS

Open = Callable[[str, bytes | None], str]
"""Opens one sealed field of the child by its name; '' where it is none or does not open."""

_ROWS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class StoredChild:
    """Everything sealed about a child, opened: in clear, '' or empty where there is none.

    `claims`, `documents`, `reasons` and `appeals` are texts as they were written; `siblings` is how
    many are named.
    """

    born: str
    address: str
    claims: tuple[str, ...]
    siblings: int
    documents: tuple[str, ...]
    reasons: tuple[str, ...]
    appeals: tuple[str, ...]


def counted(children: Sequence[str]) -> dict[str, int]:
    """How much stands about these children without being sealed: applications, results, files."""
    applications = Application.objects.filter(child__in=children)
    keys = list(applications.values_list("id", flat=True))
    return {
        "applications": len(keys),
        "results": Result.objects.filter(child__in=children).count(),
        "documents": Document.objects.filter(application__in=keys).count(),
    }


def opened_child(child: str, opened: Open) -> StoredChild | None:
    """All that is sealed about the child; None where enrolment knows nothing of it."""
    known = Child.objects.filter(pk=child).first()
    applications = list(Application.objects.filter(child=child).order_by("-position")[:_ROWS_MAX])
    if known is None and not applications:
        return None
    keys = [row.id for row in applications]
    files = Document.objects.filter(application__in=keys).order_by("added_ms", "id")[:_ROWS_MAX]
    claims = Claim.objects.filter(application__in=keys).order_by("id")[:_ROWS_MAX]
    appeals = Appeal.objects.filter(child=child).order_by("appealed_ms", "id")[:_ROWS_MAX]
    about = _fields(opened("facts", known.facts_sealed if known else None))
    told = [_fields(opened("facts", row.facts_sealed)) for row in applications]
    answers = [row.reason_sealed for row in appeals]
    return StoredChild(
        born=str(about.get("born", "")),
        address=str(about.get("address", "")),
        claims=tuple(_claim(one) for facts in told for one in facts.get("claims", ())),
        siblings=sum(len(facts.get("siblings", ())) for facts in told),
        documents=tuple(_file_name(opened("name", row.name_sealed)) for row in files),
        reasons=tuple(
            opened("reason", one)
            for one in (*(row.reason_sealed for row in claims), *answers)
            if one
        ),
        appeals=tuple(opened("text", row.text_sealed) for row in appeals),
    )


def _claim(one: Any) -> str:
    """A claim in words, with the school that it names; as it stands where nobody knows it."""
    kind, at = one if isinstance(one, list) and len(one) == 2 else (one, "")
    title = str(KINDS.get(str(kind), kind))
    school = School.objects.filter(pk=at).first() if at else None
    where = school.name if school is not None else str(at)
    return f"{title} ({where})" if where else title


def _file_name(text: str) -> str:
    return str(_fields(text).get("name", text))


def _fields(text: str) -> dict[str, Any]:
    """The JSON object that was sealed; empty where it did not open or is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
