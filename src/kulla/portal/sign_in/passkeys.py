"""Passkeys: what a browser is asked, and whether its answer holds (W3C WebAuthn, Level 3).

py_webauthn checks the answers. The credential and its public key stand in the register of
accounts, where only an act puts them; the challenge stands in the sessions file and counts once.

Signature counters are not kept: passkeys that are synchronised between devices leave them at 0, and
a counter that only home knows would not outlive it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import connections
from django.http import HttpRequest
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kulla.kernel.errors import KullaError
from kulla.kernel.tower import TowerEdge
from kulla.portal.databases import SESSIONS
from kulla.portal.edge import installed
from kulla.portal.session_seals import row_of
from kulla.portal.sign_in import people
from kulla.portal.trust import current_policy
from kulla.services.accounts import assertions
from kulla.services.accounts.models import Passkey

Purpose = Literal["sign in", "add"]

CHALLENGE_S: Final = 600
CREDENTIAL_CHARS_MAX: Final = 16_384
_CHALLENGE_BYTES: Final = 32
_TIMEOUT_MS: Final = 300_000
# Those with which staff can sign too (services/accounts/assertions).
_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_TRANSPORTS: Final = frozenset(one.value for one in AuthenticatorTransport)


class PasskeyRefused(KullaError):
    """What a browser handed over as a passkey's answer does not hold."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose passkey answered, and whether the device verified its owner (finger, face, PIN)."""

    subject: str
    verified: bool


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that a device just made: id in base64url, COSE key, WebAuthn's own words."""

    credential: str
    public_key: bytes
    transports: str
    backed_up: bool


def relying_party() -> str:
    """The domain to which passkeys of this country are bound: that of the policy file."""
    return current_policy().relying_party


def origins(request: HttpRequest) -> list[str]:
    """The sites whose pages may have asked: that of the home's public address.

    On one machine (the relying party is 'localhost') also that of the request: its host was checked
    against KULLA_HOSTS, and its port changes when another home takes over.
    """
    found = []
    public = urlsplit(settings.KULLA.public_url)
    if public.netloc:
        found.append(f"{public.scheme}://{public.netloc}")
    if not found or relying_party() == "localhost":
        found.append(f"{request.scheme}://{request.get_host()}")
    return found


def ask_to_sign_in(session: SessionBase) -> str:
    """The options for a browser that may use any passkey of this country, as JSON."""
    return _request_options(_new_challenge(session, "sign in"), (), verified=False)


def ask_to_sign(challenge: bytes, subject: str) -> str:
    """The options for a signature over `challenge` by one of the person's passkeys, as JSON."""
    return _request_options(challenge, people.passkeys_of(subject), verified=True)


def ask_to_add(session: SessionBase, subject: str, name: str, *, verified: bool) -> str:
    """The options for making a new passkey of `subject`, as JSON.

    `name` is what the person's own device will show beside it.
    """
    requirement = (
        UserVerificationRequirement.REQUIRED if verified else UserVerificationRequirement.PREFERRED
    )
    options = generate_registration_options(
        rp_id=relying_party(),
        rp_name="Kulla",
        user_id=bytes.fromhex(subject),
        user_name=name,
        user_display_name=name,
        challenge=_new_challenge(session, "add"),
        timeout=_TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=requirement
        ),
        exclude_credentials=_descriptors(people.passkeys_of(subject)),
        supported_pub_key_algs=_ALGORITHMS,
    )
    return options_to_json(options)


def signed_in(request: HttpRequest, posted: str, tower: TowerEdge) -> SignedIn:
    """Who signed in with the posted credential (JSON). Raises PasskeyRefused.

    The session's challenge is spent, whatever comes of it.
    """
    challenge = _spend(request.session, "sign in")
    found = _read(posted)
    passkey = people.passkey(str(found.get("id", "")), tower)
    if passkey is None:
        raise _refused("nobody here has this passkey")
    # Whose it is, is the register's to say. The handle that the device gives along is not asked:
    # those of the first staff were made before their subjects were known.
    try:
        verified = verify_authentication_response(
            credential=found,
            expected_challenge=challenge,
            expected_rp_id=relying_party(),
            expected_origin=origins(request),
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=0,
        )
    # Whatever the library raises over what a stranger sent means one thing: no.
    except Exception as error:
        raise _refused(type(error).__name__) from error
    return SignedIn(passkey.subject, verified.user_verified)


def added(request: HttpRequest, posted: str, *, verified: bool) -> NewPasskey:
    """The passkey that the posted credential (JSON) brings. Raises PasskeyRefused.

    The session's challenge is spent, whatever comes of it.
    """
    challenge = _spend(request.session, "add")
    found = _read(posted)
    try:
        made = verify_registration_response(
            credential=found,
            expected_challenge=challenge,
            expected_rp_id=relying_party(),
            expected_origin=origins(request),
            require_user_verification=verified,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as error:  # as above
        raise _refused(type(error).__name__) from error
    if not assertions.is_usable(made.credential_public_key):
        raise _refused("a key that nothing here could verify with")
    said = found["response"].get("transports")
    words = [one for one in said if one in _TRANSPORTS] if isinstance(said, list) else []
    return NewPasskey(
        str(found["id"]),
        made.credential_public_key,
        ",".join(dict.fromkeys(words)),
        made.credential_backed_up,
    )


def assertion_of(posted: str) -> bytes:
    """The posted credential (JSON) as an assertion that travels with a command of staff.

    It is not verified here: the scribe does that, and says so. Raises PasskeyRefused where it is
    none.
    """
    found = _read(posted)
    given = found.get("response")
    try:
        assert isinstance(given, dict)
        return assertions.Assertion(
            base64url_to_bytes(given["authenticatorData"]),
            base64url_to_bytes(given["clientDataJSON"]),
            str(found["id"]),
            base64url_to_bytes(given["signature"]),
        ).encode()
    except Exception as error:  # as above
        raise _refused(type(error).__name__) from error


def _request_options(challenge: bytes, allowed: Sequence[Passkey], *, verified: bool) -> str:
    requirement = (
        UserVerificationRequirement.REQUIRED if verified else UserVerificationRequirement.PREFERRED
    )
    options = generate_authentication_options(
        rp_id=relying_party(),
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        allow_credentials=_descriptors(allowed),
        user_verification=requirement,
    )
    return options_to_json(options)


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential),
            transports=[
                AuthenticatorTransport(word)
                for word in one.transports.split(",")
                if word in _TRANSPORTS
            ]
            or None,
        )
        for one in passkeys
    ]


def _new_challenge(session: SessionBase, purpose: Purpose) -> bytes:
    edges = installed()
    challenge = edges.entropy.random_bytes(_CHALLENGE_BYTES)
    ends_s = edges.clock.now_ms() // 1000 + CHALLENGE_S
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "INSERT OR REPLACE INTO sign_in_challenge (session, purpose, challenge, ends_s)"
            " VALUES (%s, %s, %s, %s)",
            [row_of(session), purpose, challenge, ends_s],
        )
    return challenge


def _spend(session: SessionBase, purpose: Purpose) -> bytes:
    """The challenge of this session, which is gone now. Raises PasskeyRefused where none waits."""
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "DELETE FROM sign_in_challenge WHERE session = %s AND purpose = %s"
            " RETURNING challenge, ends_s",
            [row_of(session), purpose],
        )
        found = cursor.fetchone()
    if found is None or found[1] <= installed().clock.now_ms() // 1000:
        raise _refused("no challenge waits for this answer")
    return bytes(found[0])


def forget_ended() -> None:
    """Remove challenges that have ended."""
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute(
            "DELETE FROM sign_in_challenge WHERE ends_s <= %s",
            [installed().clock.now_ms() // 1000],
        )


def _read(posted: str) -> dict[str, Any]:
    try:
        found = json.loads(posted[:CREDENTIAL_CHARS_MAX])
    except (ValueError, RecursionError) as error:
        raise _refused("it is not JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
        raise _refused("it is no credential")
    return found


def _refused(why: str) -> PasskeyRefused:
    return PasskeyRefused(f"a passkey's answer was refused: {why}.", place="sign-in")
