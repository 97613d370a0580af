"""Words of the room's pages: what was done, by whom, with which document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.services.enrolment import acts
from kulla.services.pages import Text

CHANGES: Final[Mapping[str, Text]] = {
    "applied": _("Applied"),
    "changed": _("Changed the application"),
    acts.WITHDRAWN: _("Withdrew the application"),
    acts.DOCUMENT_ADDED: _("Handed in a file"),
    acts.DOCUMENT_REMOVED: _("Removed a file"),
    acts.CLAIM_DECIDED: _("Decided on a claim"),
}

WHOSE: Final[Mapping[str, Text]] = {
    "mine": _("you"),
    "guardian": _("the other guardian"),
    "counter": _("a clerk at the counter"),
}

PAPERS: Final[Mapping[str, Text]] = {
    "birth-certificate": _("Birth certificate"),
    "id-card": _("Identity card"),
    "passport": _("Passport"),
    "other": _("Another document"),
}

DOCUMENT_KINDS: Final[Mapping[str, Text]] = {
    "paper": _("The signed paper form"),
    "other": _("Something else"),
}
"""What a file can be for beside a claim."""
