"""Every address of the site."""

from __future__ import annotations

from django.urls import include, path

from kulla.portal import (
    acting,
    catalogue,
    checking,
    front,
    look,
    my_acts,
    my_messages,
    pages,
    receipts,
    signing,
    token_desk,
)
from kulla.portal.e_id import pages as e_id
from kulla.portal.mine import addresses, keys, overview, people, programs, stored
from kulla.portal.roles import pages as roles
from kulla.portal.sign_in import entering, joining, passkey_pages, staff_passkeys
from kulla.portal.sign_in import pages as sign_in

urlpatterns = [
    path("appointments/", include("kulla.services.appointments.urls")),
    path("enrolment/", include("kulla.services.enrolment.urls")),
    path("api/", include("kulla.portal.api")),
    path("", front.front, name="home"),
    path("empty", pages.empty, name="empty"),
    path("healthz", pages.healthz, name="healthz"),
    path("status", pages.status, name="status"),
    path("sign-in", sign_in.sign_in, name="sign-in"),
    path("sign-in/code", sign_in.code, name="sign-in-code"),
    path("sign-in/role", entering.choose_role, name="sign-in-role"),
    path("sign-in/passkey", passkey_pages.enter, name="sign-in-passkey"),
    path("sign-up", joining.sign_up, name="sign-up"),
    path("passkeys", staff_passkeys.listed, name="passkeys"),
    path("passkeys/add", passkey_pages.add, name="passkey-add"),
    path("passkeys/<str:credential>/remove", staff_passkeys.remove, name="passkey-remove"),
    path("sign/<str:pending_id>", signing.sign, name="sign"),
    path("sign-out", entering.sign_out, name="sign-out"),
    path("sign-in/e-id", e_id.begin, name="e-id"),
    path("sign-in/e-id/back", e_id.back, name="e-id-back"),
    path("sign-in/e-id/link", e_id.link, name="e-id-link"),
    path("services", catalogue.services, name="services"),
    path("services/<slug:name>", catalogue.service, name="service"),
    path("acts", my_acts.acts, name="acts"),
    path("messages", my_messages.messages, name="messages"),
    path("acting", acting.choose, name="acting"),
    path("mine", overview.overview, name="mine"),
    path("mine/preferences", overview.preferences, name="mine-preferences"),
    path("mine/addresses", addresses.addresses, name="mine-addresses"),
    path("mine/addresses/code", addresses.code, name="mine-address-code"),
    path("mine/addresses/<slug:token>/remove", addresses.remove, name="mine-address-remove"),
    path("mine/keys", keys.keys, name="mine-keys"),
    path("mine/keys/<slug:credential>/remove", keys.remove_passkey, name="mine-passkey-remove"),
    path("mine/e-id/<slug:token>/unlink", keys.unlink, name="mine-e-id-unlink"),
    path("mine/sessions/end", keys.end_session, name="mine-session-end"),
    path("mine/people", people.people, name="mine-people"),
    path("mine/people/grant", people.grant, name="mine-people-grant"),
    path("mine/people/accept", people.accept, name="mine-people-accept"),
    path("mine/people/<slug:relation>/end", people.end, name="mine-people-end"),
    path("mine/offers/<slug:offer>/withdraw", people.withdraw, name="mine-offer-withdraw"),
    path("mine/programs", programs.programs, name="mine-programs"),
    path("mine/programs/<slug:key>/remove", programs.remove, name="mine-program-remove"),
    path("operator/tokens", token_desk.tokens, name="operator-tokens"),
    path("operator/tokens/issue", token_desk.issue, name="operator-token-issue"),
    path("operator/tokens/<slug:key>/revoke", token_desk.revoke, name="operator-token-revoke"),
    path("operator/staff", roles.staff, name="operator-staff"),
    path("operator/staff/proposals/<slug:proposal>", roles.decide, name="operator-proposal"),
    path(
        "operator/staff/<slug:person>/<slug:role>/propose", roles.propose, name="operator-propose"
    ),
    path("operator/staff/<slug:person>/<slug:role>/take", roles.take, name="operator-take"),
    path("mine/stored", stored.stored, name="mine-stored"),
    path("check", checking.check, name="check"),
    path("receipts/<int:position>", receipts.show, name="receipt"),
    path("receipts/<int:position>/file", receipts.download, name="receipt-file"),
    path("receipts/<int:position>/qr.svg", receipts.qr, name="receipt-qr"),
    path("style/<str:name>.css", look.style, name="style"),
    path("script/<str:name>.js", look.script, name="script"),
    path("icon.svg", look.icon, name="icon"),
    path("robots.txt", look.robots, name="robots"),
]

handler400 = "kulla.portal.errors.bad_request"
handler403 = "kulla.portal.errors.forbidden"
handler404 = "kulla.portal.errors.not_found"
handler500 = "kulla.portal.errors.server_error"
