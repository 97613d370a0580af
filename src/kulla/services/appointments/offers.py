"""What appointments offer, for the catalogue of services."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.services.pages import Offer

OFFERS: Final = (
    Offer(
        name="book-an-appointment",
        title=_("Book an appointment with a doctor"),
        summary=_(
            "Find a doctor by place and speciality, see at a glance where there is room, and book, "
            "move or cancel."
        ),
        needed=(
            _("A telephone number, in case the clinic has to call."),
            _("One or two sentences about why you come, if you like. Only the doctor sees them."),
        ),
        who=(
            _("Everybody with an account."),
            _("You can also book for your child, or for whoever gave you a power of attorney."),
            _("Without internet, a clerk at a counter or on the telephone books for you."),
        ),
        takes=_("About two minutes. It is confirmed in a second, and you get a receipt."),
        costs=_("Nothing."),
        begin="/appointments/",
        begin_text=_("Find a doctor"),
        words="mjek doktor takim vizitë orar rezervo klinikë spital ambulancë poliklinikë "
        "infermier mami pediatër familje recetë kontroll vaksinë health shëndet shëndetësi "
        "physician nurse visit clinic hospital reserve vaccination",
    ),
    Offer(
        name="move-or-cancel-an-appointment",
        title=_("Move or cancel an appointment"),
        summary=_("Choose another time with the same doctor, or give the time back to others."),
        needed=(_("Nothing but your account."),),
        who=(_("Whoever has the appointment, or acts for them."),),
        takes=_("A minute. Until the new time is confirmed you keep the old one."),
        costs=_("Nothing, also at short notice."),
        begin="/appointments/mine",
        begin_text=_("Your appointments"),
        words="ndrysho shtyj anulo zhvendos takim mjek orë change reschedule postpone",
    ),
)
