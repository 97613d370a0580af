"""The policy's no, and what else keeps somebody from going on, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.pages import UNAVAILABLE, UNAVAILABLE_OTHERWISE, Text

_SENTENCES: Final[Mapping[str, Text]] = {
    "child-unknown": _("First say who the child is: enter what the civil register knows."),
    "round-unknown": _("There is no such round."),
    "not-open": _("Applying has not begun yet."),
    "closed": _(
        "Applying is over: nothing can be changed any more. Ask at a counter what is left."
    ),
    "programme-unknown": _("One of the programmes is not offered to this grade. Take it off."),
    "too-many-choices": _("At most %(max)s programmes can be named. Take some off the list."),
    "not-together": _("In this round brothers and sisters are placed one by one."),
    "changed-meanwhile": _(
        "The application was changed meanwhile, by the other guardian or at a counter. Look at it, "
        "then send yours again if you still want it."
    ),
    "application-unknown": _("Nobody applied for this child yet."),
    "already-withdrawn": _("The application was withdrawn already."),
    "too-many-documents": _("At most %(max)s files belong to an application. Remove one first."),
    "too-many-handed-in": _(
        "%(max)s files were handed in for this application, the removed ones too. That is the "
        "most; ask at a counter."
    ),
    "document-twice": _("This very file was handed in already."),
    "document-unknown": _("This file was removed already."),
    "decided-by-now": _("The lottery is drawn: claims stand as they are."),
    "own-matter": _("Nobody decides what they asked for themself. Ask a colleague."),
    "no-role": _("You don't have this role any more. Ask an operator."),
    "not-allowed": _("Your role may not do this."),
    "not-acting-for": _("You can't act for this child, or not any more. Ask at a counter."),
    "unknown-blob": _("The file did not arrive whole. Choose it again."),
    "annulled": _(
        "This was undone by the custodians, because of what somebody else had done before it. "
        "Please start again, or ask at a counter."
    ),
    "malformed": _("Something in this form was not as this site sends it. Please start again."),
    # What a page sees before it sends anything.
    "no-sibling": _("Nobody else in the register has this number. Check it with the family."),
    "no-grade": _("Choose the grade."),
    "no-choices": _("Put at least one programme on the list."),
    "no-file": _("Choose a file."),
    "empty": _("The file is empty. Choose another one."),
    "too-big": _("The file is too big: at most 4 MB. A photograph in a smaller size is enough."),
    "wrong-type": _("Only PDF, JPEG and PNG can be handed in. Save it as a PDF or photograph it."),
    "damaged": _("The file is damaged, or something is hung behind it. Save it anew."),
    "active": _(
        "This PDF has a program or other files inside. Print it to a new PDF, and hand that in."
    ),
    "no-document-kind": _("Say what the file is for."),
    "no-born": _("Enter the day of birth."),
    "bad-born": _("Enter a day as it stands in the document."),
    "long-address": _("Shorten the address to 200 characters."),
    "no-paper": _("Say which document you saw."),
    "no-reason": _("Give the reason: the family reads it."),
    "long-reason": _("Shorten the reason to 500 characters."),
}
_OTHERWISE: Final[Text] = _("The rules of this service do not allow it.")


def sentence(code: str, detail: Mapping[str, Value] | None = None) -> str:
    """A code in the language of the page; one that is new here gets a general sentence."""
    try:
        return str(_SENTENCES.get(code, _OTHERWISE)) % dict(detail or {})
    except (KeyError, TypeError):
        return str(_OTHERWISE)


def in_words(answer: Answer) -> str:
    """What became of a command, where it was not accepted."""
    if answer.status == "refused":
        return sentence(answer.code, answer.detail)
    if answer.status == "unavailable":
        return str(UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE))
    if answer.status == "waiting":
        return gettext(
            "The embassies have not confirmed it yet. Send the form again: it is the same request, "
            "so nothing is done twice."
        )
    return ""
