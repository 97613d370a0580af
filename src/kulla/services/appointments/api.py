"""What everybody may read of appointments, without a token: clinics, practitioners, free times.

The same as the public pages show, for programs. What one books stands in `fhir`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final

from django.utils.translation import gettext_lazy as _
from ninja import Field, Path, Query, Router, Schema

from kulla.kernel.dates import HOME_ZONE
from kulla.services.appointments.apply import FREE
from kulla.services.appointments.models import Clinic, Practitioner, Slot
from kulla.services.calls import ApiProblem, CallRequest, nothing_there

COUNT_MAX: Final = 200
DAYS_MAX: Final = 92
DAYS_USUAL: Final = 31

router = Router(tags=["Appointments"])

_BACKWARDS: Final = _("The last day lies before the first.")
_TOO_LONG: Final = _("So many days can't be asked for at once.")
_TOO_LONG_REMEDY: Final = _("Ask for at most 92 days.")

Id = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,32}$", max_length=32)]
Text = Annotated[str, Query(max_length=200)]
Count = Annotated[int, Query(ge=1, le=COUNT_MAX)]
After = Annotated[str, Query(max_length=48, description="The `next` of the page before")]


class ClinicShape(Schema):
    """A place where practitioners see citizens."""

    id: str
    name: str
    address: str
    town: str
    county: str


class PractitionerShape(Schema):
    """A doctor, nurse or midwife; `published_to` is the last day that can be booked, or ''."""

    id: str
    name: str
    speciality: str = Field(description="In the words of the clinic, in Albanian")
    clinic: str
    published_to: str


class SlotShape(Schema):
    """A free time, with its instants in the zone of the clinic."""

    id: str
    practitioner: str
    start: datetime
    end: datetime
    minutes: int


class Clinics(Schema):
    """A page of clinics; `next` is the `after` of the next page, '' on the last."""

    clinics: list[ClinicShape]
    next: str


class Practitioners(Schema):
    """A page of practitioners; `next` is the `after` of the next page, '' on the last."""

    practitioners: list[PractitionerShape]
    next: str


class FreeSlots(Schema):
    """Free times in order; `next` is the `after` of the next page, '' on the last."""

    slots: list[SlotShape]
    next: str


@router.get("/clinics", response=Clinics, summary="Clinics")
def clinics(
    request: CallRequest, county: Text = "", town: Text = "", count: Count = 100, after: After = ""
) -> Clinics:
    """All of them, or those of a county or town, by id."""
    found = Clinic.objects.filter(id__gt=after, position__lt=_watermark(request))
    if county:
        found = found.filter(county=county)
    if town:
        found = found.filter(town=town)
    rows = list(found.order_by("id")[: count + 1])
    shown = [ClinicShape.from_orm(row) for row in rows[:count]]
    return Clinics(clinics=shown, next=shown[-1].id if len(rows) > count else "")


@router.get("/clinics/{id}", response=ClinicShape, summary="One clinic")
def clinic(request: CallRequest, id: Id) -> Clinic:  # noqa: A002 - as the address has it
    """By the id that the list of clinics gives."""
    row = Clinic.objects.filter(id=id, position__lt=_watermark(request)).first()
    if row is None:
        raise nothing_there()
    return row


@router.get("/practitioners", response=Practitioners, summary="Practitioners")
def practitioners(
    request: CallRequest,
    clinic: Text = "",
    speciality: Text = "",
    count: Count = 100,
    after: After = "",
) -> Practitioners:
    """All of them, or those of a clinic or speciality, by id."""
    del request
    found = Practitioner.objects.filter(id__gt=after)
    if clinic:
        found = found.filter(clinic=clinic)
    if speciality:
        found = found.filter(speciality=speciality)
    rows = list(found.order_by("id")[: count + 1])
    shown = [PractitionerShape.from_orm(row) for row in rows[:count]]
    return Practitioners(practitioners=shown, next=shown[-1].id if len(rows) > count else "")


@router.get("/practitioners/{id}", response=PractitionerShape, summary="One practitioner")
def practitioner(request: CallRequest, id: Id) -> Practitioner:  # noqa: A002 - as the address has it
    """By the id that the list of practitioners gives."""
    del request
    row = Practitioner.objects.filter(id=id).first()
    if row is None:
        raise nothing_there()
    return row


@router.get("/slots", response=FreeSlots, summary="Free times")
def slots(
    request: CallRequest,
    practitioner: Annotated[str, Query(pattern=r"^[a-z0-9-]{1,32}$")],
    first_day: Annotated[date | None, Query(description="Today, where it is left out")] = None,
    last_day: Annotated[date | None, Query(description="31 days on, where it is left out")] = None,
    count: Count = 100,
    after: After = "",
) -> FreeSlots:
    """Times of a practitioner that can be booked now, from the first to the last day included."""
    now_s = request.clock.now_ms() // 1000
    first = first_day or datetime.fromtimestamp(now_s, HOME_ZONE).date()
    last = _last_day(first, last_day)
    found = Slot.objects.filter(
        practitioner=practitioner,
        day__gte=first.isoformat(),
        day__lte=last.isoformat(),
        starts_s__gt=now_s,
        state=FREE,
        position__lt=_watermark(request),
        id__gt=after,
    )
    rows = list(found.order_by("id")[: count + 1])
    ids = [row.id for row in rows[:count]]
    held = request.holds.held_by_others(ids, "")
    shown = [_shape(row) for row in rows[:count] if row.id not in held]
    return FreeSlots(slots=shown, next=ids[-1] if len(rows) > count else "")


def _last_day(first: date, last: date | None) -> date:
    """The last day that is asked for. Raises ApiProblem."""
    try:
        most = first + timedelta(days=DAYS_MAX - 1)
        usual = first + timedelta(days=DAYS_USUAL - 1)
    except OverflowError:
        most = usual = date.max
    if last is None:
        return usual
    if last < first:
        raise ApiProblem(422, "days-backwards", _BACKWARDS, element="last_day")
    if last > most:
        raise ApiProblem(422, "days-too-many", _TOO_LONG, _TOO_LONG_REMEDY, element="last_day")
    return last


def _shape(row: Slot) -> SlotShape:
    starts = row.starts_local
    return SlotShape(
        id=row.id,
        practitioner=row.practitioner,
        start=starts,
        end=starts + timedelta(minutes=row.minutes),
        minutes=row.minutes,
    )


def _watermark(request: CallRequest) -> int:
    return request.tower.witnessing().watermark
