"""Appointments as one value: commands and acts by name, for the scribe and the rebuild."""

from __future__ import annotations

from typing import Final

from kulla.kernel.service import ActType, CommandType, Service
from kulla.services.appointments import acts, apply, gather, policy
from kulla.services.appointments.desk import apply as desk_apply
from kulla.services.appointments.desk import gather as desk_gather
from kulla.services.appointments.desk import policy as desk_policy

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
        "note_arrival": CommandType(desk_gather.for_visit, desk_policy.note_arrival),
        "note_missed": CommandType(desk_gather.for_visit, desk_policy.note_missed),
        "end_visit": CommandType(desk_gather.for_visit, desk_policy.end_visit),
        "take_back_visit": CommandType(desk_gather.for_visit, desk_policy.take_back_visit),
        "walk_in": CommandType(desk_gather.for_walk_in, desk_policy.walk_in),
        "close_day": CommandType(desk_gather.for_closing, desk_policy.close_day),
    },
    acts={
        acts.CLINIC_OPENED: ActType(apply.clinic_opened),
        acts.PRACTITIONER_JOINED: ActType(apply.practitioner_joined),
        acts.SCHEDULE_SET: ActType(apply.schedule_set),
        acts.EXCEPTION_SET: ActType(apply.exception_set),
        acts.SLOTS_PUBLISHED: ActType(apply.slots_published),
        # The appointment's row keeps whose booking it was, its position and its instant for ever.
        acts.BOOKED: ActType(apply.booked, noted=False),
        acts.CANCELLED: ActType(apply.cancelled),
        acts.RESCHEDULED: ActType(apply.rescheduled),
        acts.WALKED_IN: ActType(desk_apply.walked_in),
        acts.IDENTITY_CHECKED: ActType(desk_apply.identity_checked),
        acts.ARRIVED: ActType(desk_apply.arrived),
        acts.MISSED: ActType(desk_apply.missed),
        acts.VISIT_ENDED: ActType(desk_apply.visit_ended),
        acts.VISIT_TAKEN_BACK: ActType(desk_apply.visit_taken_back),
    },
)
