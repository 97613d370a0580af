"""How Django finds this service."""

from django.apps import AppConfig


class MessagesConfig(AppConfig):
    """Messages to people as a Django app."""

    name = "kulla.services.messages"
    label = "messages"
    verbose_name = "Messages"
