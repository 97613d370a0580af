"""The services of this release, and the tables that their acts fill."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kulla.kernel.rows import Table
from kulla.kernel.service import Service
from kulla.registers.own import OWN_TABLES
from kulla.services.accounts.service import SERVICE as ACCOUNTS
from kulla.services.appointments.service import SERVICE as APPOINTMENTS
from kulla.services.citizens.service import SERVICE as CITIZENS
from kulla.services.enrolment.service import SERVICE as ENROLMENT
from kulla.services.messages.service import SERVICE as MESSAGES

SERVICES: Mapping[str, Service] = {
    service.name: service for service in (ACCOUNTS, APPOINTMENTS, CITIZENS, ENROLMENT, MESSAGES)
}


def register_tables() -> tuple[Table, ...]:
    """All tables of the registers: the tower's own and those of the services' models."""
    import django
    from django.apps import apps

    from kulla.tower.tables import tables_of

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kulla.portal.settings")
    django.setup()
    return (*OWN_TABLES, *tables_of(apps.get_models()))
