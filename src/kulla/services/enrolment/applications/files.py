"""Files of an application: handed in, downloaded, removed. None is ever shown by this site.

What goes out is always a download under the type that its content had, with nosniff and in a
sandbox without scripts, so that whatever hides in it never runs as a page of this site.
"""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from kulla.kernel.tower import Answer, FileGone
from kulla.services.enrolment.applications.case import NAME, Case, case_of
from kulla.services.enrolment.applications.listing import Handed, file_of, files_of
from kulla.services.enrolment.applications.policy import DOCUMENTS_MAX
from kulla.services.enrolment.applications.refusals import sentence
from kulla.services.enrolment.applications.upload import Unfit, media_type_of, name_of
from kulla.services.enrolment.applications.wishes import FILE_BYTES_MAX
from kulla.services.enrolment.applications.words import DOCUMENT_KINDS
from kulla.services.enrolment.rounds.prose import title_of
from kulla.services.pages import PageRequest, open_to, read_command_id

SANDBOX: Final = "default-src 'none'; sandbox"
"""The one policy that the portal lets stand in the place of its own (portal/middleware.py)."""

_CLAIM: Final = "claim:"


@open_to("citizen", "clerk", limit="acts")
def files(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """GET: the files so far, and the form. POST `file`, `about`: hand one in."""
    case = case_of(request, round_id, child)
    if not case.filed:
        return HttpResponseRedirect(case.address("child"), status=303)
    if request.method != "POST":
        return _show(case)
    if not case.may_change:
        return _show(case, status=409)
    command_id = read_command_id(request.POST)
    about = request.POST.get("about", "")
    uploaded = request.FILES.get("file")
    if not isinstance(uploaded, UploadedFile):
        return _show(case, {"file": "no-file"}, status=422)
    if command_id is None or about not in dict(_abouts(case)):
        return _show(case, {"about": "no-document-kind"}, status=422)
    if len(files_of(case)) >= DOCUMENTS_MAX:
        return _show(case, {"file": "too-many-documents"}, status=422)
    content = uploaded.read(FILE_BYTES_MAX + 1)
    try:
        media_type = media_type_of(content)
    except Unfit as unfit:
        return _show(case, {"file": unfit.code}, status=422)
    return _hand_in(case, command_id, about, name_of(uploaded.name or "", media_type), content)


def _hand_in(case: Case, command_id: bytes, about: str, name: str, content: bytes) -> HttpResponse:
    """Keep the file at home, then send the command that names it."""
    media_type = media_type_of(content)
    kind = "claim" if about.startswith(_CLAIM) else about
    tower = case.request.tower
    blob = tower.keep_file(case.child, content, command_id)
    told = json.dumps({"name": name, "about": about.removeprefix(_CLAIM)}, ensure_ascii=False)
    sealed = tower.seal(case.child, {NAME: told}, command_id)[NAME]
    answer = case.send(
        "add_document",
        case.data(
            round=case.round,
            kind=kind,
            name=sealed,
            media_type=media_type,
            size=len(content),
            blob=blob,
        ),
        names=(blob,),
        summary=[(_("File"), name), (_("Bytes"), str(len(content)))],
        done=case.address("child-files"),
        back=case.address("child-files"),
    )
    if isinstance(answer, HttpResponse):
        return answer
    if answer.code == "document-twice":
        return HttpResponseRedirect(case.address("child-files"), status=303)
    if answer.status == "refused":
        tower.drop_file(blob)  # else whoever is refused again and again fills the disk
    return _show(case, answer=answer)


def _abouts(case: Case) -> list[tuple[str, str]]:
    """What a file can be for: the claims that were made, and others; (value, words)."""
    facts = case.facts()
    made = {claim.kind for claim in facts.claims} if facts else set()
    claims = [
        (f"{_CLAIM}{priority.kind}", title_of(priority))
        for priority in case.rules.priorities
        if priority.kind in made
    ]
    kinds = [(kind, str(words)) for kind, words in DOCUMENT_KINDS.items()]
    return claims + (kinds if case.staff else kinds[1:])


def _show(
    case: Case,
    problems: dict[str, str] | None = None,
    answer: Answer | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    most = {"max": DOCUMENTS_MAX}
    context: dict[str, Any] = {
        "files": files_of(case),
        "files_max": DOCUMENTS_MAX,
        "abouts": _abouts(case),
        "about": case.request.POST.get("about", ""),
        "problems": {name: sentence(code, most) for name, code in (problems or {}).items()},
    }
    return case.show("files", context, answer, status=status)


@open_to("citizen", "clerk")
def download(request: PageRequest, round_id: str, child: str, document: str) -> HttpResponse:
    """The file, as a download. Another application's is not found."""
    case = case_of(request, round_id, child)
    handed = _handed(case, document)
    try:
        why = case.why("a file that was handed in is downloaded")
        content = request.tower.read_file(case.child, bytes(handed.row.blob), why)
    except FileGone:
        return case.show("gone", {"file": handed}, status=503)
    response = HttpResponse(content, content_type=handed.row.media_type)
    response["Content-Disposition"] = content_disposition_header(True, handed.name) or "attachment"
    response["Content-Security-Policy"] = SANDBOX
    response["X-Download-Options"] = "noopen"
    return response


@open_to("citizen", "clerk", limit="acts")
def remove(request: PageRequest, round_id: str, child: str, document: str) -> HttpResponse:
    """GET: is it really to be removed? POST: do it."""
    case = case_of(request, round_id, child)
    handed = _handed(case, document)
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        status = 422 if request.method == "POST" else 200
        return case.show("remove", {"file": handed}, status=status)
    answer = case.send(
        "remove_document",
        case.data(round=case.round, document=document),
        summary=[(_("Remove"), handed.name)],
        done=case.address("child-files"),
        back=case.address("child-files"),
    )
    if isinstance(answer, HttpResponse):
        return answer
    return case.show("remove", {"file": handed}, answer)


def _handed(case: Case, document: str) -> Handed:
    found = file_of(case, document)
    if found is None:
        raise Http404
    return found
