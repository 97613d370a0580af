"""The names of the tables and of the states of their rows, for `apply`, `gather` and pages."""

from __future__ import annotations

from typing import Final

ROUND: Final = "enrolment_round"
RULES: Final = "enrolment_rules"
MOVE: Final = "enrolment_move"
SCHOOL: Final = "enrolment_school"
PROGRAMME: Final = "enrolment_programme"
CHILD: Final = "enrolment_child"
APPLICATION: Final = "enrolment_application"
CHANGE: Final = "enrolment_change"
CLAIM: Final = "enrolment_claim"
DOCUMENT: Final = "enrolment_document"
SECRET: Final = "enrolment_secret"  # noqa: S105 - the name of a table
DRAW: Final = "enrolment_draw"
RESULT: Final = "enrolment_result"
PLACE: Final = "enrolment_place"
APPEAL: Final = "enrolment_appeal"
FILLED: Final = "enrolment_filled"
RUN: Final = "enrolment_run"
TRANSCRIPT: Final = "enrolment_transcript"
NOTICE: Final = "enrolment_notice"

# A round. Whether families may apply now follows from its days, not from its state.
PREPARED, PUBLISHED, CLOSED, DRAWN, ALLOCATED, OFFERED, ENDED = (
    "prepared",
    "published",
    "closed",
    "drawn",
    "allocated",
    "offered",
    "ended",
)

FILED, WITHDRAWN = "filed", "withdrawn"
CLAIMED, CONFIRMED, REFUSED = "claimed", "confirmed", "refused"

# A child's result. 'waiting': the offer is kept while the child waits for a higher choice.
NOT_OFFERED, OPEN, ACCEPTED, WAITING, DECLINED, LAPSED = (
    "none",
    "open",
    "accepted",
    "waiting",
    "declined",
    "lapsed",
)

IN_LIST, LEFT_LIST = "waiting", "left"
APPEALED, GRANTED, REJECTED = "appealed", "granted", "rejected"

APPEAL_POOL = "appeal"
"""The pool of a seat beyond capacity, which an appeal gave: it counts to no programme's seats."""
