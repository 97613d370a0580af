"""What the site itself offers, beside its services, for the catalogue."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.services.pages import Offer

OFFERS: Final = (
    Offer(
        name="act-for-a-child",
        title=_("Act for your child"),
        summary=_("Book for your child and read what comes for them, with your own account."),
        needed=(
            _("Your identity document."),
            _("The birth certificate, or the decision that says you care for the child."),
        ),
        who=(_("Parents and guardians of a child under eighteen."),),
        takes=_("One visit to a counter. A clerk records it while you wait."),
        costs=_("Nothing."),
        begin="/mine/people",
        begin_text=_("People you act for"),
        words="fëmijë prind nënë baba kujdestar bir bijë djalë vajzë parent mother father guardian "
        "son daughter kid baby foshnjë",
    ),
    Offer(
        name="power-of-attorney",
        title=_("Let somebody act for you, or act for somebody"),
        summary=_("Give a power of attorney to a person you trust, with a code that works once."),
        needed=(_("An account of each of you."), _("The code, told from one to the other.")),
        who=(_("Everybody with an account. Either of you can end it at any time."),),
        takes=_("Two minutes. It holds until the day you choose."),
        costs=_("Nothing."),
        begin="/mine/people",
        begin_text=_("Give or accept a power of attorney"),
        words="prokurë përfaqësim autorizim i moshuar ndihmë prind attorney proxy representative "
        "elderly help authorise delegate",
    ),
    Offer(
        name="see-what-is-stored",
        title=_("See what is stored about you"),
        summary=_("Everything this site keeps about you, opened for you alone."),
        needed=(_("Nothing but your account."),),
        who=(_("Everybody, about themself."),),
        takes=_("A few seconds."),
        costs=_("Nothing."),
        begin="/mine/stored",
        begin_text=_("Open it"),
        words="të dhëna personale privatësi gdpr kopje data privacy personal copy",
    ),
    Offer(
        name="check-a-receipt",
        title=_("Check a receipt"),
        summary=_("See whether a receipt is genuine. Nobody has to sign in for that."),
        needed=(_("The receipt file, or the code on its printed page."),),
        who=(_("Everybody, without an account."),),
        takes=_("A few seconds."),
        costs=_("Nothing."),
        begin="/check",
        begin_text=_("Check a receipt"),
        words="dëshmi vërtetim verifiko provë kod qr faturë proof verify genuine certificate",
    ),
)
