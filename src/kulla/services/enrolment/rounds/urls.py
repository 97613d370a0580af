"""Addresses of the room `rounds`, below /enrolment/: for everybody, and the ministry's desk."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, path

from kulla.services.enrolment.rounds import (
    ministry,
    programmes_pages,
    public,
    rules_pages,
    schools_pages,
)

_ROUND: Final = "ministry/rounds/<slug:round_id>"

PATTERNS: Final[list[URLPattern]] = [
    path("", public.rounds, name="rounds"),
    path("rounds/<slug:round_id>", public.round_page, name="round"),
    path("rounds/<slug:round_id>/schools", public.schools, name="round-schools"),
    path("rounds/<slug:round_id>/schools/<slug:school>", public.school, name="round-school"),
    path("ministry/", ministry.rounds, name="ministry"),
    path("ministry/new", ministry.new, name="ministry-new"),
    path("ministry/schools", schools_pages.schools, name="ministry-schools"),
    path("ministry/schools/new", schools_pages.new, name="ministry-school-new"),
    path("ministry/schools/in", schools_pages.bring_in, name="ministry-schools-in"),
    path("ministry/schools/out.csv", schools_pages.out, name="ministry-schools-out"),
    path("ministry/schools/of/<slug:school>", schools_pages.edit, name="ministry-school"),
    path(_ROUND, ministry.overview, name="ministry-round"),
    path(f"{_ROUND}/days", ministry.days, name="ministry-days"),
    path(f"{_ROUND}/step", ministry.step, name="ministry-step"),
    path(f"{_ROUND}/rules", rules_pages.rules, name="ministry-rules"),
    path(f"{_ROUND}/programmes", programmes_pages.programmes, name="ministry-programmes"),
    path(f"{_ROUND}/programmes/new", programmes_pages.new, name="ministry-programme-new"),
    path(f"{_ROUND}/programmes/in", programmes_pages.bring_in, name="ministry-programmes-in"),
    path(f"{_ROUND}/programmes/out.csv", programmes_pages.out, name="ministry-programmes-out"),
    path(
        f"{_ROUND}/programmes/of/<slug:programme>",
        programmes_pages.edit,
        name="ministry-programme",
    ),
]
