"""Addresses of appointments, below /appointments/."""

from __future__ import annotations

from django.urls import path

from kulla.services.appointments import booking, calendar_files, finding, pages
from kulla.services.appointments.desk import urls as desk

app_name = "appointments"
urlpatterns = [
    path("slots/<slug:slot>", booking.book, name="book"),
    path("", finding.find, name="find"),
    path("doctors/<slug:practitioner>", finding.doctor, name="doctor"),
    path("mine", pages.mine, name="mine"),
    path("mine.ics", calendar_files.all_of_mine, name="calendar-of-mine"),
    *desk.PATTERNS,
    path("<slug:appointment>", pages.appointment, name="appointment"),
    path("<slug:appointment>.ics", calendar_files.one, name="calendar"),
    path("<slug:appointment>/said", pages.said, name="said"),
    path("<slug:appointment>/cancel", pages.cancel, name="cancel"),
    path("<slug:appointment>/move", pages.move, name="move"),
    path("<slug:appointment>/move/<slug:slot>", pages.move_to, name="move-to"),
]
