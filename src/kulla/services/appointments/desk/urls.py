"""Addresses of the clerk's desk, below /appointments/desk/."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, path

from kulla.services.appointments.desk import closing, day, hours, people, visits

_DOCTOR: Final = "desk/doctors/<slug:practitioner>"
_APPOINTMENT: Final = "desk/appointments/<slug:appointment>"

PATTERNS: Final[list[URLPattern]] = [
    path("desk/", day.clinics, name="desk"),
    path("desk/clinics/<slug:clinic>", day.clinic_day, name="desk-clinic"),
    path("desk/clinics/<slug:clinic>/to-call", day.to_call, name="desk-to-call"),
    path(_DOCTOR, day.doctor_day, name="desk-day"),
    path(f"{_DOCTOR}/week", day.doctor_week, name="desk-week"),
    path(f"{_DOCTOR}/walk-in", visits.walk_in, name="desk-walk-in"),
    path(f"{_DOCTOR}/close", closing.close, name="desk-close"),
    path(f"{_DOCTOR}/hours", hours.all_hours, name="desk-hours"),
    path(f"{_DOCTOR}/hours/weekly", hours.set_weekly, name="desk-weekly"),
    path(f"{_DOCTOR}/hours/day", hours.set_day, name="desk-other-hours"),
    path(f"{_DOCTOR}/hours/publish", hours.publish, name="desk-publish"),
    path("desk/slots/<slug:slot>", visits.book, name="desk-book"),
    path("desk/people", people.find, name="desk-people"),
    path("desk/people/new", people.register, name="desk-register"),
    path("desk/people/<slug:person>", people.person, name="desk-person"),
    path("desk/people/<slug:person>/number", people.number, name="desk-number"),
    path("desk/visits", visits.note, name="desk-note"),
    path(_APPOINTMENT, visits.appointment, name="desk-appointment"),
    path(f"{_APPOINTMENT}/cancel", visits.cancel, name="desk-cancel"),
    path(f"{_APPOINTMENT}/move", visits.move, name="desk-move"),
]
