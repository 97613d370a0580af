"""Addresses of the clerk's desk, below /appointments/desk/."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, path

from kulla.services.appointments import (
    desk,
    desk_closing,
    desk_hours,
    desk_people,
    desk_visits,
)

_DOCTOR: Final = "desk/doctors/<slug:practitioner>"
_APPOINTMENT: Final = "desk/appointments/<slug:appointment>"

PATTERNS: Final[list[URLPattern]] = [
    path("desk/", desk.clinics, name="desk"),
    path("desk/clinics/<slug:clinic>", desk.clinic_day, name="desk-clinic"),
    path("desk/clinics/<slug:clinic>/to-call", desk.to_call, name="desk-to-call"),
    path(_DOCTOR, desk.doctor_day, name="desk-day"),
    path(f"{_DOCTOR}/week", desk.doctor_week, name="desk-week"),
    path(f"{_DOCTOR}/walk-in", desk_visits.walk_in, name="desk-walk-in"),
    path(f"{_DOCTOR}/close", desk_closing.close, name="desk-close"),
    path(f"{_DOCTOR}/hours", desk_hours.all_hours, name="desk-hours"),
    path(f"{_DOCTOR}/hours/weekly", desk_hours.set_weekly, name="desk-weekly"),
    path(f"{_DOCTOR}/hours/day", desk_hours.set_day, name="desk-other-hours"),
    path(f"{_DOCTOR}/hours/publish", desk_hours.publish, name="desk-publish"),
    path("desk/slots/<slug:slot>", desk_visits.book, name="desk-book"),
    path("desk/people", desk_people.find, name="desk-people"),
    path("desk/people/new", desk_people.register, name="desk-register"),
    path("desk/people/<slug:person>", desk_people.person, name="desk-person"),
    path("desk/people/<slug:person>/number", desk_people.number, name="desk-number"),
    path("desk/visits", desk_visits.note, name="desk-note"),
    path(_APPOINTMENT, desk_visits.appointment, name="desk-appointment"),
    path(f"{_APPOINTMENT}/cancel", desk_visits.cancel, name="desk-cancel"),
    path(f"{_APPOINTMENT}/move", desk_visits.move, name="desk-move"),
]
