"""Addresses of the room `results`, below /enrolment/: a child's, everybody's, the ministry's."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, path

from kulla.services.enrolment.results import (
    appeal_pages,
    child_pages,
    class_pages,
    ministry_pages,
    public_pages,
)

_ROUND: Final = "rounds/<slug:round_id>"
_CHILD: Final = f"{_ROUND}/children/<slug:child>/result"
_MINISTRY: Final = "ministry/rounds/<slug:round_id>/results"
_CLASS: Final = f"{_MINISTRY}/classes/<slug:programme>"

PATTERNS: Final[list[URLPattern]] = [
    path(f"{_ROUND}/results", public_pages.results, name="round-results"),
    path(f"{_ROUND}/transcript.json", public_pages.transcript, name="round-transcript"),
    path("results", child_pages.mine, name="results-mine"),
    path(_CHILD, child_pages.result, name="result"),
    path(f"{_CHILD}/answer/<slug:answer>", child_pages.answer, name="result-answer"),
    path(f"{_CHILD}/leave/<slug:programme>", child_pages.leave, name="result-leave"),
    path(f"{_CHILD}/appeal", child_pages.appeal, name="result-appeal"),
    path(f"{_CHILD}/check", child_pages.check, name="result-check"),
    path(_MINISTRY, ministry_pages.results, name="ministry-results"),
    path(f"{_MINISTRY}/step", ministry_pages.step, name="ministry-results-step"),
    path(f"{_MINISTRY}/audit", ministry_pages.audit, name="ministry-audit"),
    path(f"{_MINISTRY}/audit.json", ministry_pages.audit_file, name="ministry-audit-file"),
    path(f"{_MINISTRY}/late", class_pages.late, name="ministry-late"),
    path(f"{_MINISTRY}/complementary", ministry_pages.complementary, name="ministry-complementary"),
    path(f"{_MINISTRY}/appeals", appeal_pages.appeals, name="ministry-appeals"),
    path(f"{_MINISTRY}/appeals/<slug:appeal>", appeal_pages.appeal, name="ministry-appeal"),
    path(_CLASS, class_pages.class_list, name="ministry-class"),
    path(f"{_CLASS}.csv", class_pages.class_csv, name="ministry-class-csv"),
]
