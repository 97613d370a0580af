"""Appointments as one value: commands and acts by name, for the scribe and the rebuild."""

from __future__ import annotations

from typing import Final

from kulla.kernel.service import ActType, CommandType, Service
from kulla.services.appointments import acts, apply, gather, policy

SERVICE: Final = Service(
    name=acts.SERVICE_NAME,
    commands={
        "open_clinic": CommandType(gather.for_clinic, policy.open_clinic),
        "add_practitioner": CommandType(gather.for_clinic, policy.add_practitioner),
        "set_schedule": CommandType(gather.for_clinic, policy.set_schedule),
        "set_exception": CommandType(gather.for_exception, policy.set_exception),
        "publish_slots": CommandType(gather.for_publishing, policy.publish_slots),
        "book": CommandType(gather.for_booking, policy.book),
        "cancel": CommandType(gather.for_booking, policy.cancel),
        "reschedule": CommandType(gather.for_booking, policy.reschedule),
    },
    acts={
        acts.CLINIC_OPENED: ActType(apply.clinic_opened),
        acts.PRACTITIONER_JOINED: ActType(apply.practitioner_joined),
        acts.SCHEDULE_SET: ActType(apply.schedule_set),
        acts.EXCEPTION_SET: ActType(apply.exception_set),
        acts.SLOTS_PUBLISHED: ActType(apply.slots_published),
        acts.BOOKED: ActType(apply.booked),
        acts.CANCELLED: ActType(apply.cancelled),
        acts.RESCHEDULED: ActType(apply.rescheduled),
    },
)
