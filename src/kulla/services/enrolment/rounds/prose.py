"""A round's rules in sentences, in the language of the page: what a family reads before it applies.

Titles that the ministry worded stand as they are; those of priorities that many countries have, and
were not reworded, are said in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Priority, Rules
from kulla.services.enrolment.rounds.words import KINDS
from kulla.services.pages import Text

OPEN_TITLE: Final[Text] = gettext_lazy("Open seats")

_WHERE: Final[Mapping[str, Text]] = {
    "school": gettext_lazy("It counts at that school."),
    "area": gettext_lazy("It counts at the schools of that area."),
    "anywhere": gettext_lazy("It counts at every school."),
    "programme": gettext_lazy("It counts for that programme."),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences below it, and a list of (name, sentences) that may be in order."""

    title: str
    sentences: tuple[str, ...]
    items: tuple[tuple[str, str], ...] = ()
    ordered: bool = False


def rules_in_words(rules: Rules) -> list[Section]:
    """The rules in sentences, section by section."""
    return [_choices(rules), _priorities(rules), _pools(rules), _lottery(rules)]


def title_of(priority: Priority) -> str:
    """A priority's title in the language of the page, or as the ministry worded it."""
    known = KINDS.get(priority.kind)
    if known is not None and priority.title in _in_all_languages(priority.kind):
        return str(known)
    return priority.title


def pool_title_of(pool: Pool) -> str:
    """A pool's title in the language of the page, or as the ministry worded it."""
    if pool.pool == OPEN_POOL and pool.title in _in_all_languages(OPEN_POOL):
        return str(OPEN_TITLE)
    return pool.title


@cache
def _in_all_languages(name: str) -> frozenset[str]:
    text = OPEN_TITLE if name == OPEN_POOL else KINDS[name]
    found = set()
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            found.add(str(text))
    return frozenset(found)


def _choices(rules: Rules) -> Section:
    if rules.choices_max:
        many = _("A family names up to %(count)s programmes, the one it likes best first.")
        first = many % {"count": rules.choices_max}
    else:
        first = _("A family names as many programmes as it likes, the one it likes best first.")
    sentences = [
        first,
        _(
            "Say truly what you like best. A child gets the highest of its choices that it can "
            "have; naming a school first that many want costs nothing at the others."
        ),
        _(
            "The time of applying never matters: whoever applies on the last day has the same "
            "chance as on the first, and the list can change until applying closes."
        ),
    ]
    if rules.siblings_together:
        sentences.append(
            _(
                "Brothers and sisters who apply in this round can ask to be placed at one school. "
                "The older child is placed first; the younger then counts as its brother or sister."
            )
        )
    return Section(_("How to choose"), tuple(sentences))


def _priorities(rules: Rules) -> Section:
    if not rules.priorities:
        return Section(_("Who comes first"), (_("Nobody has priority: lots alone decide."),))
    items = []
    for priority in rules.priorities:
        said = [str(_WHERE[priority.where])]
        if priority.document:
            said.append(_("A document shows it, and a clerk confirms it."))
        if priority.private:
            said.append(_("It is never told to anybody: no published list shows it."))
        items.append((title_of(priority), " ".join(said)))
    sentences = (
        _(
            "Where more children want a programme than it has seats, these come before others, in "
            "this order. Among children of the same priority lots decide."
        ),
    )
    return Section(_("Who comes first"), sentences, tuple(items), ordered=True)


def _pools(rules: Rules) -> Section:
    titles = {priority.kind: title_of(priority) for priority in rules.priorities}
    items = []
    for pool in rules.pools:
        if pool.pool == OPEN_POOL:
            items.append((pool_title_of(pool), _("For everybody.")))
            continue
        whom = _("For children with the priority: %(priority)s.")
        said = [whom % {"priority": titles.get(pool.priority, pool.priority)}]
        if pool.unfilled == "open":
            said.append(_("Seats that stay free go to everybody."))
        else:
            said.append(_("Seats that stay free are kept free."))
        items.append((pool_title_of(pool), " ".join(said)))
    sentences = (
        _("Each programme has so many seats of each kind; a child takes the first it may have:"),
    )
    return Section(_("Seats"), sentences, tuple(items))


def _lottery(rules: Rules) -> Section:
    if rules.tie_break == "single":
        numbers = _("Every child gets one number, the same for all its choices.")
    else:
        numbers = _("Every child gets a number of its own for each of its choices.")
    family = _(
        "Brothers and sisters who all ask to be together share one number, so that the lot falls "
        "for the family."
    )
    return Section(
        _("The lots"),
        (
            numbers,
            *((family,) if rules.siblings_together else ()),
            _(
                "The numbers come from secrets of several embassies that are fixed before "
                "applying closes, and from the list of all applications. Nobody could choose "
                "them, not the ministry either, and everybody can compute them again."
            ),
            _(
                "Asking again, changing the list or applying on another day never gives a new "
                "chance: a child has one application."
            ),
        ),
    )
