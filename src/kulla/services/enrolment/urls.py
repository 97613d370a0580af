"""Addresses of enrolment, below /enrolment/."""

from __future__ import annotations

from kulla.services.enrolment.applications import urls as applications
from kulla.services.enrolment.lottery import urls as lottery
from kulla.services.enrolment.results import urls as results
from kulla.services.enrolment.rounds import urls as rounds

app_name = "enrolment"
urlpatterns = [
    *rounds.PATTERNS,
    *applications.PATTERNS,
    *lottery.PATTERNS,
    *results.PATTERNS,
]
