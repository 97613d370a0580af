"""How Django finds this service."""

from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    """Doctor's appointments as a Django app."""

    name = "kulla.services.appointments"
    label = "appointments"
    verbose_name = "Appointments"
