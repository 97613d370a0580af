"""What enrolment offers, for the catalogue of services."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.services.pages import Offer

OFFERS: Final = (
    Offer(
        name="apply-for-a-school",
        title=_("Apply for a school"),
        summary=_(
            "Name the schools that your child would like, the best first, until applying closes. "
            "The last day is as good as the first."
        ),
        needed=(
            _("Your account, and your child in it."),
            _("Documents where a priority asks for one: a photograph or a scan is enough."),
        ),
        who=(
            _("Parents and guardians of a child of the ages that the round is for."),
            _("Without internet, a clerk at a counter applies for you."),
        ),
        takes=_("About ten minutes. You can change everything until applying closes."),
        costs=_("Nothing."),
        begin="/enrolment/",
        begin_text=_("See which round is open"),
        words="shkollë regjistrim fëmijë klasa e parë gjimnaz fillore nëntëvjeçare kopsht "
        "parashkollor aplikim nxënës arsim school enrol enroll admission kindergarten primary "
        "pupil class grade",
    ),
    Offer(
        name="see-the-result-of-a-round",
        title=_("See the result of applying for a school"),
        summary=_(
            "The offer, the reason for each school that it is not, and the place in each waiting "
            "list. You can check the lots yourself."
        ),
        needed=(_("Nothing but your account."),),
        who=(_("Parents and guardians of a child who applied."),),
        takes=_("A minute."),
        costs=_("Nothing."),
        begin="/enrolment/results",
        begin_text=_("See the rounds"),
        words="rezultat shkollë pranim listë pritje short vend ofertë result offer waiting list "
        "lottery place accepted",
    ),
    Offer(
        name="appeal-a-school-decision",
        title=_("Appeal against a school decision"),
        summary=_("Say what went wrong. A clerk decides, and tells you the reasons in writing."),
        needed=(_("What you think went wrong, in a few sentences."),),
        who=(_("Parents and guardians of a child who applied."),),
        takes=_("Ten minutes. The round's page says until when."),
        costs=_("Nothing."),
        begin="/enrolment/results",
        begin_text=_("See the rounds"),
        words="ankim ankesë ankohem shkollë vendim appeal complaint objection school decision",
    ),
)
