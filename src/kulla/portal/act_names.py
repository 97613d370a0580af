"""What acts are called when people read them: a short sentence for each act of each service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.services.pages import Text

ACT_NAMES: Final[Mapping[str, Text]] = {
    "appointments.booked": _("An appointment was booked"),
    "appointments.cancelled": _("An appointment was cancelled"),
    "appointments.rescheduled": _("An appointment was moved"),
    "appointments.walked_in": _("You came without an appointment"),
    "appointments.identity_checked": _("A clerk saw who you are before booking"),
    "appointments.arrived": _("You arrived for an appointment"),
    "appointments.missed": _("You did not come to an appointment"),
    "appointments.visit_ended": _("A visit ended"),
    "appointments.visit_taken_back": _("A note about your visit was taken back"),
    "enrolment.child_entered": _("A child's age and address were entered for school enrolment"),
    "enrolment.applied": _("An application for school was filed or changed"),
    "enrolment.withdrawn": _("An application for school was withdrawn"),
    "enrolment.document_added": _("A file was added to an application for school"),
    "enrolment.document_removed": _("A file of an application for school was removed"),
    "enrolment.claim_decided": _("A clerk decided on a priority in an application for school"),
    "enrolment.offer_answered": _("An offer of a place at a school was answered"),
    "enrolment.place_offered": _("A waiting list moved: a place at a school was offered"),
    "enrolment.list_left": _("Waiting lists of schools were left"),
    "enrolment.late_placed": _("A late arrival was put on a school's waiting list"),
    "enrolment.appealed": _("An appeal about school enrolment was sent"),
    "enrolment.appeal_decided": _("An appeal about school enrolment was decided"),
    "citizens.registered": _("You were registered, with a key of your own"),
    "accounts.opened": _("An account was opened"),
    "accounts.address_added": _("An address was added"),
    "accounts.address_removed": _("An address was removed"),
    "accounts.passkey_added": _("A passkey was added"),
    "accounts.passkey_removed": _("A passkey was removed"),
    "accounts.identity_linked": _("An e-ID was linked"),
    "accounts.identity_unlinked": _("An e-ID was unlinked"),
    "accounts.preferences_set": _("Language or reminders were changed"),
    "accounts.identified": _("A clerk saw your document and noted who you are"),
    "accounts.related": _("A parent and a child were recorded"),
    "accounts.attorney_offered": _("A power of attorney was offered"),
    "accounts.attorney_withdrawn": _("An offered power of attorney was withdrawn"),
    "accounts.attorney_accepted": _("A power of attorney was accepted"),
    "accounts.relation_ended": _("Acting for another person was ended"),
    "accounts.role_proposed": _("A role at work was proposed"),
    "accounts.role_granted": _("A role at work was given"),
    "accounts.role_revoked": _("A role at work was taken away"),
}
"""By '<service>.<act>'. An act that is not here is shown by that name; a test sees to it that all
that can be about a citizen are here."""


def act_name(said: str) -> Text:
    """What the act `<service>.<act>` is called, in the language of the page."""
    return ACT_NAMES.get(said, said)
