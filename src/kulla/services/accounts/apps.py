"""How Django finds this service."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, passkeys, relations and roles as a Django app."""

    name = "kulla.services.accounts"
    label = "accounts"
    verbose_name = "Accounts"
