"""How Django finds this service."""

from django.apps import AppConfig


class EnrolmentConfig(AppConfig):
    """School enrolment as a Django app."""

    name = "kulla.services.enrolment"
    label = "enrolment"
    verbose_name = "Enrolment"
