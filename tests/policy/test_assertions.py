"""What a passkey signed is believed for this command, this site and a verified person alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import cbor2
import pytest
import webauthn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from fakes.authenticator import (
    USER_PRESENT,
    USER_VERIFIED,
    Algorithm,
    Authenticator,
    cose_key,
)
from kulla.kernel.canonical import decode, encode
from kulla.kernel.edges import SystemEntropy
from kulla.services.accounts import assertions
from kulla.services.accounts.demo_passkey import DemoPasskey

PARTY, ORIGIN = "sherbime.example.al", "https://sherbime.example.al"
KEY = hashlib.sha256(b"a command").digest()
ALGORITHMS: list[Algorithm] = ["ES256", "EdDSA", "RS256"]
PASSKEYS = {name: Authenticator(algorithm=name) for name in ALGORITHMS}
ANA = PASSKEYS["ES256"]


def complaint(data: bytes, passkey: Authenticator = ANA, origins: Any = (ORIGIN,)) -> str:
    return assertions.verify(data, KEY, passkey.public_key, PARTY, origins)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_a_passkey_signed_is_believed(name: Algorithm) -> None:
    assert complaint(PASSKEYS[name].sign(KEY), PASSKEYS[name]) == ""


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_fake_authenticator_is_one_to_another_library_too(name: Algorithm) -> None:
    passkey = PASSKEYS[name]
    made = webauthn.verify_registration_response(
        credential=passkey.register(b"c" * 32),
        expected_challenge=b"c" * 32,
        expected_rp_id=PARTY,
        expected_origin=ORIGIN,
        require_user_verification=True,
    )
    assert (made.credential_id, made.fmt) == (passkey.credential_id, "none")
    assert made.credential_public_key == passkey.public_key
    seen = webauthn.verify_authentication_response(
        credential=passkey.sign_in(KEY),
        expected_challenge=KEY,
        expected_rp_id=PARTY,
        expected_origin=ORIGIN,
        credential_public_key=made.credential_public_key,
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    assert seen.user_verified


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"origin": "https://sherbime.example.al.evil.example"}, "another site"),
        ({"origin": "https://evil.example"}, "another site"),
        ({"origin": "http://sherbime.example.al"}, "another site"),
        ({"relying_party": "evil.example"}, "another relying party"),
        ({"flags": USER_PRESENT}, "did not verify"),
        ({"flags": USER_VERIFIED}, "did not verify"),
        ({"flags": 0}, "did not verify"),
        ({"kind": "webauthn.create"}, "not made to sign"),
        ({"more": {"crossOrigin": True}}, "inside another"),
        ({"more": {"origin": None}}, "inside another"),
        ({"more": {"challenge": 7}}, "another command"),
        ({"more": {"challenge": "ë"}}, "another command"),
        ({"more": {"challenge": "%%%"}}, "another command"),
    ],
)
def test_another_site_or_circumstance_is_refused(parts: dict[str, Any], said: str) -> None:
    assert said in complaint(ANA.sign(KEY, **parts))


def test_another_commands_signature_is_refused() -> None:
    assert "another command" in complaint(ANA.sign(hashlib.sha256(b"another").digest()))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_another_key_is_refused(name: Algorithm) -> None:
    other = Authenticator(seed=2, algorithm=name)
    assert "not the passkey's" in complaint(other.sign(KEY), PASSKEYS[name])
    for mixed in ALGORITHMS:
        if mixed != name:
            assert complaint(PASSKEYS[mixed].sign(KEY), PASSKEYS[name])


def test_a_site_of_the_past_is_one_that_the_relying_party_covers() -> None:
    for origin in (ORIGIN, "https://old.sherbime.example.al:8443"):
        assert complaint(ANA.sign(KEY, origin=origin), origins=None) == ""
    for origin in (
        "http://sherbime.example.al",
        "https://xsherbime.example.al",
        "https://example.al",
        "https://[",
    ):
        assert "another site" in complaint(ANA.sign(KEY, origin=origin), origins=None)
    local = Authenticator(relying_party="localhost", origin="http://localhost:8123")
    assert assertions.verify(local.sign(KEY), KEY, local.public_key, "localhost") == ""


@pytest.mark.parametrize("name", ALGORITHMS)
@given(number=st.integers(0, 10_000), bit=st.integers(0, 7), cut=st.booleans())
def test_one_bit_or_one_byte_less_and_it_is_refused(
    name: Algorithm, number: int, bit: int, cut: bool
) -> None:
    signed = PASSKEYS[name].sign(KEY)
    at = number % len(signed)
    changed = bytearray(signed)
    changed[at] ^= 1 << bit
    data = signed[:at] if cut else bytes(changed)
    parsed, honest = assertions.parse(data), assertions.parse(signed)
    assert honest is not None
    if parsed is not None and replace(parsed, credential=honest.credential) == honest:
        return  # the credential's name is looked up, not signed: the Authority finds no such key
    assert complaint(data, PASSKEYS[name])


@given(
    st.fixed_dictionaries(
        {
            "authenticator_data": st.binary(max_size=60),
            "client_data": st.binary(max_size=60) | st.just(ANA.give(KEY).client_data),
            "credential": st.text(max_size=20),
            "signature": st.binary(max_size=80),
        }
    )
)
def test_whatever_arrives_is_refused_and_never_raises(fields: dict[str, Any]) -> None:
    assert complaint(encode(fields))
    assert complaint(fields["client_data"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        encode([]),
        encode({"credential": "x"}),
        encode({"authenticator_data": b"", "client_data": b"", "credential": 1, "signature": b""}),
        ANA.sign(KEY) + b"\0",
        bytes(assertions.ASSERTION_BYTES_MAX + 1),
        cbor2.dumps(dict(reversed(decode(ANA.sign(KEY)).items()))),  # type: ignore[union-attr]
    ],
)
def test_what_is_no_assertion_is_none(data: bytes) -> None:
    assert assertions.parse(data) is None
    assert "no assertion" in complaint(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b"[]", b"\xff\xfe", b'{"type": "webauthn.get"}'])
def test_client_data_that_is_none_is_refused(data: bytes) -> None:
    honest = ANA.give(KEY)
    bad = assertions.Assertion(honest.authenticator_data, data, ANA.credential, honest.signature)
    assert complaint(encode({name: getattr(bad, name) for name in bad.__slots__}))


def _p256(**other: Any) -> bytes:
    return cbor2.dumps(cbor2.loads(ANA.public_key) | other.pop("with_", {}))


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        b"\xff",
        cbor2.dumps([]),
        cbor2.dumps({}),
        _p256(with_={-1: 2}),
        _p256(with_={3: -8}),
        _p256(with_={3: -257}),
        _p256(with_={-3: bytes(32)}),  # not a point of the curve
        _p256(with_={-3: bytes(31)}),
        _p256(with_={-2: "text"}),
        _p256(with_={-2: None}),
        cbor2.dumps({1: 1, 3: -8, -1: 6, -2: bytes(31)}),
        cbor2.dumps({1: 1, 3: -8, -1: 6}),
        cbor2.dumps({1: 3, 3: -257, -1: b"\x01", -2: b"\x01\x00\x01"}),
        cose_key(rsa.generate_private_key(65537, 1024)),
        cose_key(ec.generate_private_key(ec.SECP256R1())) + bytes(2000),
    ],
)
def test_a_key_that_cant_be_used_is_none_and_verifies_nothing(public_key: bytes) -> None:
    assert not assertions.is_usable(public_key)
    assert "can't be used" in assertions.verify(ANA.sign(KEY), KEY, public_key, PARTY, (ORIGIN,))


@given(st.binary(max_size=100))
def test_no_bytes_make_the_reading_of_a_key_raise(data: bytes) -> None:
    assert assertions.load_key(data) is None or assertions.is_usable(data)


def test_the_demos_passkey_signs_as_an_authenticator_does() -> None:
    demo = DemoPasskey.make(SystemEntropy())
    again = DemoPasskey.of({"passkey": demo.fields()})
    assert again == demo
    assert DemoPasskey.of({"name": "Ana"}) is None
    signed = demo.sign(KEY, PARTY, ORIGIN)
    assert assertions.verify(signed, KEY, demo.public_key, PARTY, (ORIGIN,)) == ""
    assert assertions.parse(signed).credential == demo.credential  # type: ignore[union-attr]
    for broken in ({}, {"credential": "x"}, {"credential": "x", "secret": "no hex"}, 7):
        with pytest.raises(ValueError, match=r"misshapen|hexadecimal"):
            DemoPasskey.of({"passkey": broken})
