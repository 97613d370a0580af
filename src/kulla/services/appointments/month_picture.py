"""The month that shows at a glance where there is room: a table whose cells fill up with colour.

A table, since that is what a month is: who hears it walks it by day and week, who uses keys goes
from link to link, and who can't tell colours has the number of free times in each cell. It is drawn
here and not in a template: a template takes two milliseconds for its forty cells, this a tenth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kulla.kernel import dates
from kulla.services.appointments.calendars import Day, Month
from kulla.services.appointments.reading import Time


def draw(month: Month, chosen: date | None) -> SafeString:
    """The rows of the table, head and body; `chosen` is the day whose times are shown below it.

    Nothing in it comes from outside: days, numbers, and words of the catalogue, which are escaped.
    """
    language = get_language() or ""
    heads = "".join(
        f'<th scope="col"><abbr title="{whole}">{short}</abbr></th>'
        for short, whole in dates.week(language)
    )
    rows = "\n".join(_rows(month, chosen, language))
    return mark_safe(f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>")  # noqa: S308


def draw_times(times: Sequence[Time], leading: str) -> SafeString:
    """The times of a part of a day, as items of a list; a free one leads to `leading` and its id.

    `leading` '' is for staff, who look here and book at the desk. Ids are of small letters, digits
    and hyphens, which the rules of the service see to.
    """
    pending, taken = escape(_("being confirmed")), escape(_("being taken"))
    items = []
    for time in times:
        at = dates.clock(time.starts_local)
        if not leading and time.settled and not time.held:
            items.append(f"<li><span>{at}</span></li>")
        elif time.settled and not time.held:
            items.append(f'<li><a href="{escape(leading + time.id)}">{at}</a></li>')
        else:
            said = taken if time.settled else pending
            items.append(f"<li><span>{at} <small>{said}</small></span></li>")
    return mark_safe("\n".join(items))  # noqa: S308 - see above


def _rows(month: Month, chosen: date | None, language: str) -> Iterator[str]:
    free, full = escape(_("free")), escape(_("full"))
    pending = escape(_("being confirmed"))
    for week in month.weeks:
        cells = (_cell(day, chosen, language, (free, full, pending)) for day in week)
        yield f"<tr>{''.join(cells)}</tr>"


def _cell(day: Day, chosen: date | None, language: str, words: tuple[str, str, str]) -> str:
    if not day.in_month:
        return '<td class="other"></td>'
    free, full, pending = words
    number = day.date.day
    if day.free:
        current = ' aria-current="date"' if day.date == chosen else ""
        return (
            f'<td><a class="room{day.room}" href="?day={day.iso}#times"{current}>'
            f'<span class="unseen">{dates.day(day.date, language)}: </span>'
            f'<span aria-hidden="true">{number}</span>'
            f'<small>{day.free}<span class="more"> {free}</span></small></a></td>'
        )
    if day.pending:
        said = f'<small><span class="unseen">{pending}</span><i aria-hidden="true">…</i></small>'
        return f'<td><span class="none">{number}{said}</span></td>'
    if day.offered:
        return f'<td><span class="none full"><i>{number}</i><small>{full}</small></span></td>'
    return f'<td><span class="none">{number}</span></td>'
