"""Every address of the site."""

from __future__ import annotations

from django.urls import include, path

from kulla.portal import checking, demo, look, pages, receipts

urlpatterns = [
    path("appointments/", include("kulla.services.appointments.urls")),
    path("", pages.home, name="home"),
    path("empty", pages.empty, name="empty"),
    path("healthz", pages.healthz, name="healthz"),
    path("status", pages.status, name="status"),
    path("sign-in", demo.sign_in, name="sign-in"),
    path("sign-out", demo.sign_out, name="sign-out"),
    path("check", checking.check, name="check"),
    path("receipts/<int:position>", receipts.show, name="receipt"),
    path("receipts/<int:position>/file", receipts.download, name="receipt-file"),
    path("receipts/<int:position>/qr.svg", receipts.qr, name="receipt-qr"),
    path("style/<str:name>.css", look.style, name="style"),
    path("icon.svg", look.icon, name="icon"),
    path("robots.txt", look.robots, name="robots"),
]

handler400 = "kulla.portal.errors.bad_request"
handler403 = "kulla.portal.errors.forbidden"
handler404 = "kulla.portal.errors.not_found"
handler500 = "kulla.portal.errors.server_error"
