"""The acts of appointments: names, versions and shapes of their data (all version 1).

Instants are UTC epoch seconds (`_s`), days are local days as text 'YYYY-MM-DD', `zone` is the IANA
name of the rule that turned local hours into instants. `by` and `at` stand beside the data in
every act and are not repeated here.

clinic_opened          clinic, name, town, county, address                             all text
practitioner_joined    practitioner, clinic, name, speciality                          all text
schedule_set           schedule, practitioner, rule, zone, valid_from, valid_to        all text;
                       valid_to '' is open-ended; rule is `hours.weekly_text`
exception_set          practitioner, day, kind 'closed' | 'hours', hours text ('' where closed,
                       else `hours.day_text`), zone text ('' where closed),
                       closed [slot id...]: free ones are closed; taken ones too, and keep their
                       appointment until somebody moves it,
                       opened [[starts_s, minutes]...]: new ones, closed ones opened again,
                       and free ones that get another length
slots_published        practitioner, zone, first_day, last_day,
                       days [[day, [[starts_s, minutes]...]]...]
booked                 appointment (32 hex), slot, practitioner, citizen (32 hex), starts_s,
                       minutes, zone, reason bytes | None, contact bytes | None    (both sealed)
cancelled              appointment, slot, citizen, starts_s, zone
rescheduled            appointment, citizen, practitioner, old_slot, old_starts_s,
                       slot, starts_s, minutes, zone       (practitioner, zone: of the new slot)

At the desk, by clerks:

walked_in              appointment, practitioner, citizen, starts_s, minutes, zone,
                       reason bytes | None, contact bytes | None, identity 'document'|'call'|'';
                       takes no slot: the person came and is seen between the others
identity_checked       appointment, citizen, identity 'document' | 'call'     (beside a booked)
arrived, missed,       appointment, citizen, practitioner, starts_s, zone
visit_ended
visit_taken_back       appointment, citizen, practitioner, starts_s, zone,
                       was 'arrived'|'missed'|'ended', visit ''|'arrived',
                       state 'booked'|'cancelled'

Closing a day makes a `rescheduled` for each appointment that is moved, then an `exception_set`
whose closed slots hold those that are still to be called.

Shapes live for decades: a change makes a new version and an upcaster in `service.py`.
"""

from __future__ import annotations

from typing import Final

SERVICE_NAME: Final = "appointments"

CLINIC_OPENED: Final = "clinic_opened"
PRACTITIONER_JOINED: Final = "practitioner_joined"
SCHEDULE_SET: Final = "schedule_set"
EXCEPTION_SET: Final = "exception_set"
SLOTS_PUBLISHED: Final = "slots_published"
BOOKED: Final = "booked"
CANCELLED: Final = "cancelled"
RESCHEDULED: Final = "rescheduled"

WALKED_IN: Final = "walked_in"
IDENTITY_CHECKED: Final = "identity_checked"
ARRIVED: Final = "arrived"
MISSED: Final = "missed"
VISIT_ENDED: Final = "visit_ended"
VISIT_TAKEN_BACK: Final = "visit_taken_back"
