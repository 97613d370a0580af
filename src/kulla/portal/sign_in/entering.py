"""The step over the threshold: a fresh session, a fresh form mark, one role.

Whatever proved who it is (a code, a passkey, a provider of identities) ends here, in `let_in`.
"""

from __future__ import annotations

from typing import Final, Literal

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from kulla.kernel.service import Role
from kulla.portal.edge import installed
from kulla.portal.noted import SOURCE, note, source_of
from kulla.portal.session_seals import keep, kept
from kulla.portal.sessions import ROLE, SUBJECT, SessionStore
from kulla.portal.sign_in import codes, paces, passkeys, people
from kulla.services.pages import PageRequest, open_to_all

How = Literal["demo", "mail", "phone", "identity", "passkey", "verified-passkey"]
"""How a session began; 'verified-passkey': the device asked for a finger, a face or a PIN."""

HOW: Final = "how"
_NAME: Final = "name"
_CHOOSING: Final = "choosing"
_CHOOSING_S: Final = 600
_SWEEP_EVERY_S: Final = 60

_swept_s = 0


def safe_next(request: HttpRequest) -> str:
    """Where to go after signing in: an address of this site, else the home page."""
    where = request.POST.get("next") or request.GET.get("next") or "/"
    safe = url_has_allowed_host_and_scheme(
        where, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return where if safe and where.startswith("/") else "/"


def with_next(address: str, where: str) -> str:
    """`address`, carrying along where to go in the end."""
    return address if where == "/" else f"{address}?{urlencode({'next': where})}"


def let_in(request: PageRequest, subject: str, how: How, where: str) -> HttpResponse:
    """Begin a session of `subject`, who proved themself by `how`; then go to `where`.

    Staff roles are open only to a passkey whose device verified its owner. Who then has several
    roles chooses one on a page of its own first; who has none at all is a citizen.
    """
    roles = list(_roles_open_to(subject, how))
    if len(roles) == 1:
        return begin(request, subject, roles[0], how, where)
    _clean_session(request)
    until_ms = request.clock.now_ms() + _CHOOSING_S * 1000
    keep(request.session, _CHOOSING, [subject, how, until_ms])
    return redirect(with_next("/sign-in/role", where))


def begin(
    request: PageRequest, subject: str, role: Role, how: How, where: str, *, name: str = ""
) -> HttpResponse:
    """Begin the session, as `role`, and go to `where`. Nothing from before comes with it."""
    _clean_session(request)
    request.session[SUBJECT], request.session[ROLE], request.session[HOW] = subject, role, how
    request.session[SOURCE] = source_of(request)
    if how != "demo":
        shown = name or people.name_of(subject, request.tower, "name on one's own pages")
        keep(request.session, _NAME, shown)
    note(request, "signed in", subject=subject, role=role, how=how)
    return redirect(where)


@open_to_all(limit="sign_in")
def choose_role(request: PageRequest) -> HttpResponse:
    """GET: as whom to go on, for who has several roles; POST `role`: go on as that."""
    where = safe_next(request)
    chosen = kept(request.session, _CHOOSING)
    if not isinstance(chosen, list) or chosen[2] < request.clock.now_ms():
        return redirect(with_next("/sign-in", where))
    subject, how, _ = chosen
    roles = _roles_open_to(subject, how)
    wanted = request.POST.get("role", "")
    for role in roles:
        if request.method == "POST" and role == wanted:
            return begin(request, subject, role, how, where)
    context = {"roles": roles, "next": where, "fault": request.method == "POST"}
    status = 422 if request.method == "POST" else 200
    return render(request, "portal/sign_in/role.html", context, status=status)


@open_to_all()
def sign_out(request: PageRequest) -> HttpResponse:
    """POST: end the session. GET does nothing, so that no picture on another site signs one out."""
    if request.method == "POST":
        request.session.flush()
        rotate_token(request)
    return redirect("/")


def how_signed_in(request: HttpRequest) -> str:
    """How this session began (see How), '' where nobody is signed in."""
    how = request.session.get(HOW, "") if request.session.session_key else ""
    return str(how)


def shown_name(request: HttpRequest) -> str:
    """The name of who is signed in, as it was opened at sign-in; '' where it is not known."""
    name = kept(request.session, _NAME)
    return name if isinstance(name, str) else ""


def _roles_open_to(subject: str, how: How) -> tuple[Role, ...]:
    tower = installed().tower
    roles = people.roles_of(subject, tower) if how == "verified-passkey" else ()
    # Staff who were there at the founding may have no account as a citizen.
    if roles and not people.has_account(subject, tower):
        return roles
    return (*roles, "citizen")


def _clean_session(request: PageRequest) -> None:
    sweep()
    request.session.flush()
    rotate_token(request)


def sweep() -> None:
    """Remove what ended, at most once a minute.

    Whoever signs in sweeps, so that nothing else has to run for it.
    """
    global _swept_s  # noqa: PLW0603 (two threads that sweep at once do no harm)
    now_s = installed().clock.now_ms() // 1000
    if abs(now_s - _swept_s) < _SWEEP_EVERY_S:
        return
    _swept_s = now_s
    SessionStore.clear_expired()
    codes.forget_ended()
    passkeys.forget_ended()
    paces.forget_old()
