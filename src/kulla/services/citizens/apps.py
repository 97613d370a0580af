"""How Django finds this service."""

from django.apps import AppConfig


class CitizensConfig(AppConfig):
    """The citizens register as a Django app."""

    name = "kulla.services.citizens"
    label = "citizens"
    verbose_name = "Citizens"
