"""Why a code was not sent or not taken, in words."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from kulla.portal.sign_in.codes import NotProven
from kulla.services.pages import Text

_NOT_PROVEN: Final[dict[str, Text]] = {
    "gone": _("This code no longer counts: it was used, it is older than ten minutes, or too many "
              "wrong ones were typed. Ask for a new code."),
    "longer": _("Somebody typed many wrong codes for this address lately. "
                "Ask for a new code: it will be longer, so that nobody can guess it."),
}  # fmt: skip


def code_fault(found: NotProven) -> Text:
    """Why a code that was typed does not count."""
    return _NOT_PROVEN.get(found.why) or _wrong(found.left)


def wait_fault(wait_s: int) -> str:
    """Why no code is sent now, and in how many minutes one can be."""
    minutes = -(-wait_s // 60)
    return ngettext(
        "Several codes were sent to this address already. The newest one counts; look for it also "
        "where unwanted mail goes. Another can be sent in %(count)d minute.",
        "Several codes were sent to this address already. The newest one counts; look for it also "
        "where unwanted mail goes. Another can be sent in %(count)d minutes.",
        minutes,
    ) % {"count": minutes}


def _wrong(left: int) -> str:
    return ngettext(
        "This is not the code. You can try %(count)d more time.",
        "This is not the code. You can try %(count)d more times.",
        left,
    ) % {"count": left}
