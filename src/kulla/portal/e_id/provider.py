"""The provider of the national e-ID, asked over HTTPS: discovery, keys, and a code for a token.

These are the only requests that the portal sends to anybody. They go to the issuer's own host, with
time limits, without following redirects and without proxies or credentials from the environment.
OpenID Connect Discovery 1.0; the authorization code flow with PKCE (RFC 7636, S256).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.portal.e_id.id_token import Expected, IdTokenRefused, Vouched, read_id_token

TIMEOUT_S: Final = (3.0, 5.0)
"""To connect, and between two pieces of an answer."""

ANSWER_BYTES_MAX: Final = 256 * 1024
KNOWN_FOR_S: Final = 3600
KEYS_AGAIN_S: Final = 60
SCOPES: Final = "openid profile"
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnavailable(KullaError):
    """The provider does not answer, or answers what no provider would."""


@dataclass(frozen=True, slots=True)
class Client:
    """How this home is known to the provider. `secret` is '' for a client without one."""

    issuer: str
    client_id: str
    secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What binds one sign-in together: all three are fresh random text."""

    state: str
    nonce: str
    verifier: str


class Provider:
    """One provider. What it says of itself is kept for an hour. Safe to call from any thread."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, dict[str, Any]] | None = None

    def address(self, attempt: Attempt) -> str:
        """Where the browser goes to sign in. Raises ProviderUnavailable."""
        with self._session() as session:
            address, _ = session.create_authorization_url(
                self._metadata()["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(address)

    def vouched(self, code: str, attempt: Attempt) -> Vouched:
        """Who came back with `code`. Raises ProviderUnavailable, IdTokenRefused."""
        token = self._exchanged(code, attempt)
        expected = Expected(
            self._client.issuer,
            self._client.client_id,
            attempt.nonce,
            self._clock.now_ms() // 1000,
        )
        try:
            return read_id_token(token, self._key_set(KNOWN_FOR_S), expected)
        except IdTokenRefused:
            # A provider that changed its keys since we looked is asked for them once more.
            fresh = self._key_set(KEYS_AGAIN_S)
            return read_id_token(token, fresh, expected)

    def _exchanged(self, code: str, attempt: Attempt) -> str:
        """The ID token for a code."""
        endpoint = self._metadata()["token_endpoint"]
        try:
            with self._session() as session:
                answer = session.fetch_token(
                    endpoint,
                    code=code,
                    grant_type="authorization_code",
                    code_verifier=attempt.verifier,
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                )
        except (AuthlibBaseError, requests.RequestException, ValueError) as error:
            raise _unavailable(f"the code was not exchanged ({type(error).__name__})") from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _unavailable("it gave no ID token")
        return token

    def _session(self) -> OAuth2Session:
        client = self._client
        session = OAuth2Session(
            client.client_id,
            client.secret or None,
            redirect_uri=client.redirect_uri,
            scope=SCOPES,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if client.secret else "none",
        )
        session.trust_env = False
        return session

    def _metadata(self) -> dict[str, Any]:
        with self._lock:
            if self._known is None or self._age_s(self._known) > KNOWN_FOR_S:
                issuer = self._client.issuer
                found = _fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration", issuer)
                _check_metadata(found, issuer)
                self._known = (self._clock.monotonic_s(), found)
            return self._known[1]

    def _key_set(self, for_s: int) -> Mapping[str, Any]:
        address = self._metadata()["jwks_uri"]
        with self._lock:
            if self._keys is None or self._age_s(self._keys) > for_s:
                found = _fetched(address, self._client.issuer)
                if not isinstance(found.get("keys"), list):
                    raise _unavailable("its keys can't be read")
                self._keys = (self._clock.monotonic_s(), found)
            return self._keys[1]

    def _age_s(self, known: tuple[float, Any]) -> float:
        return self._clock.monotonic_s() - known[0]


def _fetched(address: str, issuer: str) -> dict[str, Any]:
    if not _same_host(address, issuer):
        raise _unavailable("it points to another host")
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(address, timeout=TIMEOUT_S, allow_redirects=False, stream=True)
            body = answer.raw.read(ANSWER_BYTES_MAX + 1, decode_content=True)
            if answer.status_code != 200 or len(body) > ANSWER_BYTES_MAX:
                raise _unavailable(f"it answered {answer.status_code}")
            found = json.loads(body)
    except (requests.RequestException, OSError, ValueError) as error:
        raise _unavailable(f"it does not answer ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise _unavailable("its answer can't be read")
    return found


def _check_metadata(found: Mapping[str, Any], issuer: str) -> None:
    """Whoever answers must say that they are the issuer, and stay on its host."""
    if found.get("issuer") != issuer:
        raise _unavailable("it says that it is another issuer")
    for name in _ENDPOINTS:
        address = found.get(name)
        if not isinstance(address, str) or not _same_host(address, issuer):
            raise _unavailable(f"its {name} is not on the issuer's host")


def _same_host(address: str, issuer: str) -> bool:
    one, other = urlsplit(address), urlsplit(issuer)
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)


def _unavailable(why: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"the provider of the e-ID can't be used: {why}.",
        place="home.toml [oidc] issuer",
        remedy="Ask it from this machine: curl ISSUER/.well-known/openid-configuration",
    )
