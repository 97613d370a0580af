"""The addresses of the clerk's desk: what each is made of, and who may expect what there."""

from __future__ import annotations

CLERKS = ("sign-in", "page", "forbidden", "forbidden")
CLERKS_NOTHING = ("sign-in", "nothing", "forbidden", "forbidden")

WANTED: dict[str, tuple[str, ...]] = {
    "desk": (),
    "desk-people": (),
    "desk-register": (),
    "desk-note": (),
    "desk-clinic": ("clinic",),
    "desk-to-call": ("clinic",),
    "desk-day": ("practitioner",),
    "desk-week": ("practitioner",),
    "desk-walk-in": ("practitioner",),
    "desk-close": ("practitioner",),
    "desk-hours": ("practitioner",),
    "desk-weekly": ("practitioner",),
    "desk-other-hours": ("practitioner",),
    "desk-publish": ("practitioner",),
    "desk-book": ("slot",),
    "desk-person": ("person",),
    "desk-number": ("person",),
    "desk-appointment": ("appointment",),
    "desk-cancel": ("appointment",),
    "desk-move": ("appointment",),
}
# People of the small country have no row in the register of citizens, and a note is only posted.
_NOTHING = {"desk-person", "desk-number", "desk-cancel", "desk-move", "desk-note"}

TABLE = {f"appointments:{name}": CLERKS_NOTHING if name in _NOTHING else CLERKS for name in WANTED}
POSTED = tuple(f"appointments:{name}" for name in WANTED)
