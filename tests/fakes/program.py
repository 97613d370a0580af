"""A program that calls the API with a token, or without one; no browser, no cookies of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fakes.country import Country
from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor
from kulla.portal.bearer import hash_of, written

OPERATOR = Actor("operator", "arkitekti")
FHIR = "application/fhir+json"
PATCH = "application/json-patch+json"


def issue(country: Country, actor: Actor, *scopes: str, number: int = 0) -> str:
    """A token of an operator or a citizen, past the pages; returned as people copy it."""
    token = hashlib.sha256(f"token {number} of {actor.subject} for {scopes}".encode()).digest()
    data: dict[str, Value] = {"token_hash": hash_of(token), "scopes": list(scopes)}
    if actor.role == "operator":
        data["name"] = "Qendra e Kërkimit"
    answer = country.ask(actor, "accounts", "issue_api_token", data)
    assert answer.status in ("accepted", "waiting"), answer
    return written(token)


def revoke(country: Country, actor: Actor, token: str) -> None:
    """Take the token back, past the pages."""
    from base64 import urlsafe_b64decode

    raw = urlsafe_b64decode(token.removeprefix("kulla_") + "=")
    data: dict[str, Value] = {"token_hash": hash_of(raw)}
    answer = country.ask(actor, "accounts", "revoke_api_token", data)
    assert answer.status in ("accepted", "waiting"), answer


class Program:
    """Calls the API as this token's program, from this address."""

    def __init__(self, token: str = "", *, address: str = "192.0.2.50") -> None:
        from django.test import Client

        self.token = token
        self.client = Client(
            SERVER_NAME="localhost",
            REMOTE_ADDR=address,
            enforce_csrf_checks=True,
            raise_request_exception=False,
        )

    def call(
        self, method: str, address: str, body: Any = None, kind: str = FHIR, **headers: str
    ) -> Any:
        """One call; `headers` in Python's spelling (`if_match='...'`)."""
        sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        if self.token and "HTTP_AUTHORIZATION" not in sent:
            sent["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body)
        content_type = "" if body is None else kind
        return self.client.generic(method, address, data, content_type=content_type, **sent)

    def get(self, address: str, **headers: str) -> Any:
        """GET."""
        return self.call("GET", address, **headers)

    def book(self, slot: str, /, *, key: str = "", **more: Any) -> Any:
        """POST an Appointment for the slot; `more` are further elements."""
        headers = {"idempotency_key": key} if key else {}
        return self.call("POST", "/api/fhir/Appointment", wish(slot, **more), **headers)

    def patch(self, appointment: str, steps: Sequence[dict[str, str]], **headers: str) -> Any:
        """PATCH an Appointment with a JSON Patch."""
        address = f"/api/fhir/Appointment/{appointment}"
        return self.call("PATCH", address, list(steps), PATCH, **headers)


def wish(slot: str, /, **more: Any) -> dict[str, Any]:
    """An Appointment as a program wishes for it."""
    return {
        "resourceType": "Appointment",
        "status": "proposed",
        "slot": [{"reference": f"Slot/{slot}"}],
        "participant": [{"actor": {"display": "Ana"}, "status": "accepted"}],
        **more,
    }
