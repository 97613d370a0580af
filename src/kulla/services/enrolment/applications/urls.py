"""Addresses of the room `applications`, below /enrolment/."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, path

from kulla.services.enrolment.applications import counter, editing, family, files

_CHILD: Final = "rounds/<slug:round_id>/children/<slug:child>"
_FILE: Final = f"{_CHILD}/files/<slug:document>"

PATTERNS: Final[list[URLPattern]] = [
    path("children", family.children, name="children"),
    path(_CHILD, family.child, name="child"),
    path(f"{_CHILD}/enter", family.enter, name="child-enter"),
    path(f"{_CHILD}/apply", editing.write, name="child-apply"),
    path(f"{_CHILD}/check", editing.check, name="child-check"),
    path(f"{_CHILD}/withdraw", family.withdraw, name="child-withdraw"),
    path(f"{_CHILD}/files", files.files, name="child-files"),
    path(_FILE, files.download, name="child-file"),
    path(f"{_FILE}/remove", files.remove, name="child-file-remove"),
    path(f"{_CHILD}/claims/<int:number>", counter.decide, name="claim"),
    path("counter/", counter.counter, name="counter"),
    path("counter/<slug:round_id>", counter.waiting, name="counter-waiting"),
]
