"""How Django finds the portal's templates."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The portal as a Django app."""

    name = "kulla.portal"
    label = "portal"
    verbose_name = "Portal"
