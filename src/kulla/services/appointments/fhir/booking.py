"""What a program sends to book, move or cancel one's own appointment, and the commands it becomes.

Elements of FHIR R4's Appointment that Kulla does not keep are taken and left out; names that R4
does not have are refused, since a misspelt element would be lost without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.appointments.fhir.shapes import AppointmentStatus, ParticipantStatus
from kulla.services.appointments.forms import read_visit
from kulla.services.appointments.models import Appointment, Slot
from kulla.services.appointments.refusals import sentence
from kulla.services.calls import ApiProblem, CallRequest, actor_of, quoted
from kulla.services.fhir import read_bounds, target

# Of https://hl7.org/fhir/R4/appointment.html: what is taken and not kept.
_NOT_KEPT: Final = frozenset(
    {"meta", "implicitRules", "language", "text", "extension", "modifierExtension"}
    | {"identifier", "cancelationReason", "serviceCategory", "serviceType", "specialty"}
    | {"appointmentType", "reasonReference", "priority", "description", "supportingInformation"}
    | {"minutesDuration", "created", "comment", "patientInstruction", "basedOn", "requestedPeriod"}
)
_WISHES: Final = ("proposed", "pending", "booked")
_TEXT_MAX: Final = 1000
# A rule that things stand against, which may change: the rest of the policy's words are 422.
_CONFLICTS: Final = frozenset(
    {"slot-past", "slot-closed", "slot-taken", "same-time", "already-cancelled", "same-slot"}
)

_OTHER_TIME: Final = _("The slot is at another time than start and end say.")
_OTHER_TIME_REMEDY: Final = _("Leave start and end out, or copy them from the slot.")
_OTHER_PERSON: Final = _("The token is another person's than this patient.")
_OTHER_PERSON_REMEDY: Final = _("Leave the patient out: who books is the person of the token.")
_NO_SLOT: Final = _("This is not the address of a slot of this server.")
_NO_SLOT_REMEDY: Final = _("Write for example Slot/hoxha-a-1770109200, as a search gave it.")
_ONLY_CANCEL: Final = _("The status of an appointment can only become 'cancelled' from outside.")
_ONLY_CANCEL_REMEDY: Final = _("Send status 'cancelled', or another slot to move it.")
_PATCH_WRONG: Final = _("This patch does something else than cancel or move the appointment.")
_PATCH_REMEDY: Final = _("Replace /status by 'cancelled', or /slot/0/reference by another slot.")
_BOOK_AGAIN: Final = _("Book the time again: a cancelled appointment stays cancelled.")
_SENT_BEFORE: Final = _("This call was sent before, and the appointment has changed since then.")
_SENT_BEFORE_REMEDY: Final = _("To do it once more, send it with a new Idempotency-Key.")
_OTHER_ID: Final = _("The id in the body is another one than in the address.")
_REFUSED_REMEDY: Final = _("Nothing was changed. Choose another time, or look at the appointment.")


class _Sent(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class SentReference(_Sent):
    """A reference, as FHIR writes it."""

    reference: str | None = Field(None, max_length=_TEXT_MAX)
    display: str | None = Field(None, max_length=_TEXT_MAX)


class SentConcept(_Sent):
    """A CodeableConcept of which the text counts."""

    text: str | None = Field(None, max_length=_TEXT_MAX)


class SentParticipant(_Sent):
    """Somebody who takes part: either `type` or `actor` must be there (app-1)."""

    type: list[dict[str, Any]] | None = Field(None, max_length=10)
    actor: SentReference | None = None
    status: ParticipantStatus

    @model_validator(mode="after")
    def _app_1(self) -> SentParticipant:
        if not self.type and self.actor is None:
            raise ValueError("app-1: either the type or the actor of a participant is needed")
        return self


class SentTelecom(_Sent):
    """How to reach the patient; the first telephone counts."""

    system: Literal["phone", "fax", "email", "pager", "url", "sms", "other"]
    value: str = Field(max_length=_TEXT_MAX)


class SentPatient(_Sent):
    """A Patient that the appointment contains, for the telephone number alone."""

    resource_type: Literal["Patient"]
    id: str | None = Field(None, max_length=64)
    telecom: list[SentTelecom] | None = Field(None, max_length=10)


class SentAppointment(_Sent):
    """An Appointment (FHIR R4) as a program sends it.

    One `slot` says when and with whom. `reasonCode[0].text` is what the doctor reads, the first
    telephone of a contained Patient is where the clinic calls; both are sealed as they come in.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    resource_type: Literal["Appointment"]
    id: str | None = Field(None, max_length=64)
    status: AppointmentStatus
    slot: list[SentReference] = Field(min_length=1, max_length=1)
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)
    reason_code: list[SentConcept] | None = Field(None, max_length=10)
    contained: list[SentPatient] | None = Field(None, max_length=4)
    participant: list[SentParticipant] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _only_r4(self) -> SentAppointment:
        for name in self.model_extra or {}:
            if name.lstrip("_") not in _NOT_KEPT:
                raise ValueError(f"FHIR R4 has no Appointment.{quoted(name)}")
        return self


class PatchStep(BaseModel):
    """One step of a JSON Patch (RFC 6902)."""

    model_config = ConfigDict(extra="forbid")

    op: Literal["test", "replace"]
    path: Literal["/status", "/slot/0/reference"]
    value: str = Field(max_length=_TEXT_MAX)


def slot_of(sent: SentAppointment) -> str:
    """The id of the slot that is meant. Raises ApiProblem."""
    slot = target(sent.slot[0].reference or "", "Slot")
    if not slot:
        place = "Appointment.slot[0].reference"
        raise ApiProblem(422, "slot-unknown", _NO_SLOT, _NO_SLOT_REMEDY, element=place)
    return slot


def check_booking(request: CallRequest, sent: SentAppointment, slot_id: str) -> None:
    """See that it is a booking, and that what else is said fits. Raises ApiProblem."""
    if sent.status not in _WISHES:
        place = "Appointment.status"
        raise ApiProblem(422, "status-unfit", _ONLY_CANCEL, _ONLY_CANCEL_REMEDY, element=place)
    check_said(request, sent, slot_id)


def check_said(
    request: CallRequest, sent: SentAppointment, slot_id: str, row: Appointment | None = None
) -> None:
    """See that participants, start and end fit the person and the slot. Raises ApiProblem.

    `row` is the appointment that is changed: it says when it is where it stays in its slot.
    """
    me = f"Patient/{actor_of(request).subject}"
    for number, participant in enumerate(sent.participant):
        actor = participant.actor.reference if participant.actor else None
        if actor and "Patient/" in actor and not actor.endswith(me):
            place = f"Appointment.participant[{number}].actor"
            raise ApiProblem(
                403, "other-person", _OTHER_PERSON, _OTHER_PERSON_REMEDY, element=place
            )
    if not sent.start and not sent.end:
        return
    stays = row is not None and row.slot == slot_id
    time = row if stays else Slot.objects.filter(id=slot_id).first()
    if time is None:
        return
    ends_s = time.starts_s + time.minutes * 60
    for name, said, at_s in (("start", sent.start, time.starts_s), ("end", sent.end, ends_s)):
        if said and read_bounds([said], f"Appointment.{name}").from_s != at_s:
            place = f"Appointment.{name}"
            raise ApiProblem(422, "other-time", _OTHER_TIME, _OTHER_TIME_REMEDY, element=place)


def personal_fields(sent: SentAppointment) -> dict[str, str]:
    """What has to be sealed: the reason and the telephone number. Raises ApiProblem."""
    reason = next((one.text for one in sent.reason_code or () if one.text), "")
    contacts = (one for patient in sent.contained or () for one in patient.telecom or ())
    phone = next((one.value for one in contacts if one.system in ("phone", "sms")), "")
    visit = read_visit({"reason": reason, "phone": phone}, whole=True)
    problems: Mapping[str, Any] = visit.problems or {}
    places = {
        "reason": "Appointment.reasonCode[0].text",
        "phone": "Appointment.contained[0].telecom",
    }
    for name, text in problems.items():
        if name == "phone" and not phone:  # a program may book without one
            continue
        raise ApiProblem(422, f"{name}-unfit", text, element=places.get(name, "Appointment"))
    return visit.personal_fields()


def change_meant(steps: Sequence[PatchStep], status: str, slot: str) -> tuple[str, str]:
    """What a patch makes of status and slot reference; `test` steps compare. Raises ApiProblem."""
    if not steps:
        raise ApiProblem(422, "patch-unfit", _PATCH_WRONG, _PATCH_REMEDY)
    stands = {"/status": status, "/slot/0/reference": slot}
    for number, step in enumerate(steps):
        if step.op == "replace":
            stands[step.path] = step.value
        elif stands[step.path] != step.value:
            raise ApiProblem(409, "test-failed", _PATCH_WRONG, _PATCH_REMEDY, element=f"[{number}]")
    return stands["/status"], stands["/slot/0/reference"]


def check_change(status: str, *, was: str, moves: bool) -> None:
    """See that the status stays or becomes 'cancelled', and that what is cancelled stays so.

    Raises ApiProblem.
    """
    if was == "cancelled" and (status != was or moves):
        code = "already-cancelled"
        raise ApiProblem(409, code, sentence(code, {}), _BOOK_AGAIN, element="Appointment.status")
    if status not in (was, "cancelled", *_WISHES):
        place = "Appointment.status"
        raise ApiProblem(422, "status-unfit", _ONLY_CANCEL, _ONLY_CANCEL_REMEDY, element=place)


def check_id(sent: SentAppointment, appointment: str) -> None:
    """See that body and address mean the same appointment. Raises ApiProblem."""
    if sent.id != appointment:
        raise ApiProblem(400, "other-id", _OTHER_ID, element="Appointment.id")


def sent_before() -> ApiProblem:
    """409: the command was done when it was sent first, and things have changed since then."""
    return ApiProblem(409, "sent-before", _SENT_BEFORE, _SENT_BEFORE_REMEDY)


def refused(answer: Answer) -> ApiProblem:
    """The policy's no: 409 where things stand against it, 422 where a rule does."""
    status = 409 if answer.code in _CONFLICTS else 422
    element = "Appointment.slot[0]" if answer.code.startswith("slot-") else ""
    detail: Mapping[str, Value] = answer.detail
    return ApiProblem(
        status, answer.code, sentence(answer.code, detail), _REFUSED_REMEDY, element=element
    )
