"""A secret that its owner tells later, or that enough others open without them. Pure.

The publicly verifiable secret sharing of Schoenmakers (CRYPTO 1999), over ristretto255. Whoever
makes a secret *deals* it: the deal fixes the secret, hides it, and holds a share for each of the
opener's Ed25519 keys, of which any `threshold` open it. Anybody can check, before anything is
opened, that they will find that very secret: so neither withholding it nor a bad share changes
what it is.

    s                  the owner's number; the secret is the element s B, B being Ed25519's base
    p(x)               a polynomial with p(0) = s, of degree threshold - 1
    commitments[j]     the coefficients of p, each times H; commitments[0] = s H fixes the secret
    shares[i]          p(i+1) times the public key of opener i
    challenge, responses
                       a proof (Chaum and Pedersen's, made without questions by a hash) that each
                       share is the p(i+1) of the commitments

An opener with the secret number a, whose public key is a B, divides their share by a. They learn
nothing that the dealer did not know, so it tells nobody anything of a. Proofs hash a `context`,
which says of what the secret is, so none can be shown elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kulla.kernel.canonical import NotCanonical, Value, decode, encode
from kulla.kernel.edges import Entropy
from kulla.kernel.errors import KullaError
from kulla.kernel.ristretto import (
    BASE,
    ELEMENT_BYTES,
    IDENTITY,
    ORDER,
    SCALAR_BYTES,
    Element,
    ElementInvalid,
    decoded,
    from_ed25519,
    from_hash,
    scalar_bytes,
    scalar_of,
)

PROOF_BYTES: Final = 2 * SCALAR_BYTES
OPENERS_MAX: Final = 64
_VERSION: Final = 1
_DEALT, _EQUAL, _NONCE = b"kulla escrow deal v1", b"kulla escrow proof v1", b"kulla escrow nonce v1"


class EscrowInvalid(KullaError):
    """A deal, a share or a proof that does not fit what it is said to belong to."""


@lru_cache(maxsize=1)
def _second_base() -> Element:
    """H: an element of which nobody knows how many times the base it is."""
    return from_hash(hashlib.sha512(b"kulla escrow second base v1").digest())


@dataclass(frozen=True, slots=True)
class Deal:
    """A secret as it was dealt; nothing is verified yet, see `check_deal`.

    keys: the openers' Ed25519 public keys. commitments: as many as must open, in the order of the
    polynomial's coefficients. shares, responses: one for each key. All have 32 bytes.
    """

    keys: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    shares: tuple[bytes, ...]
    challenge: bytes
    responses: tuple[bytes, ...]

    @property
    def threshold(self) -> int:
        """How many of the openers are needed."""
        return len(self.commitments)

    @property
    def commitment(self) -> bytes:
        """What fixes the secret."""
        return self.commitments[0]

    def render(self) -> bytes:
        """The bytes of the deal."""
        parts = (self.keys, self.commitments, self.shares, self.responses)
        lists: list[Value] = [list(part) for part in parts]
        return encode([_VERSION, self.challenge, *lists])


def parse_deal(data: bytes) -> Deal:
    """Read a deal; verifies nothing but lengths. Raises EscrowInvalid."""
    try:
        parts = decode(data, place="deal")
    except NotCanonical as error:
        raise EscrowInvalid(error.message, place=error.place) from error
    match parts:
        case [1, bytes(challenge), list(keys), list(commitments), list(shares), list(responses)]:
            lists = (keys, commitments, shares, responses)
        case _:
            raise EscrowInvalid("these bytes are no deal.", place="deal")
    values = [challenge, *(value for part in lists for value in part)]
    if any(not isinstance(value, bytes) or len(value) != 32 for value in values):
        raise EscrowInvalid("a value of this deal has not 32 bytes.", place="deal")
    counts = {len(keys), len(shares), len(responses)}
    if len(counts) != 1 or not 1 <= len(commitments) <= len(keys) <= OPENERS_MAX:
        raise EscrowInvalid("the numbers of this deal's parts do not fit.", place="deal")
    found = [tuple(bytes(value) for value in part) for part in lists]
    return Deal(found[0], found[1], found[2], challenge, found[3])


def make_deal(
    context: bytes, keys: Sequence[bytes], threshold: int, entropy: Entropy
) -> tuple[int, Deal]:
    """A fresh secret's number, and its deal to these Ed25519 keys. Raises EscrowInvalid.

    The number is what `prove_secret` needs, and nobody else may learn.
    """
    if not 1 <= threshold <= len(keys) <= OPENERS_MAX:
        raise EscrowInvalid(f"{threshold} of {len(keys)} openers can't be asked for.")
    coefficients = [_fresh(entropy) for _ in range(threshold)]
    base = _second_base()
    values = [_value(coefficients, number) for number in range(1, len(keys) + 1)]
    openers = [_key(key) for key in keys]
    shares = [key.times(value) for key, value in zip(openers, values, strict=True)]
    masks = [_fresh(entropy) for _ in keys]
    commitments = tuple(base.times(each).encoded for each in coefficients)
    sent = tuple(share.encoded for share in shares)
    noted = [
        part
        for key, mask in zip(openers, masks, strict=True)
        for part in (base.times(mask), key.times(mask))
    ]
    challenge = _challenge(_DEALT, context, [*keys, *commitments, *sent], noted)
    pairs = zip(masks, values, strict=True)
    responses = tuple(scalar_bytes((mask - value * challenge) % ORDER) for mask, value in pairs)
    deal = Deal(tuple(keys), commitments, sent, scalar_bytes(challenge), responses)
    return coefficients[0], deal


def check_deal(deal: Deal, context: bytes) -> None:
    """Raise EscrowInvalid unless any `threshold` of the openers find the committed secret."""
    try:
        base, challenge = _second_base(), scalar_of(deal.challenge)
        commitments = [decoded(each) for each in deal.commitments]
        noted: list[Element] = []
        parts = zip(deal.keys, deal.shares, deal.responses, strict=True)
        for number, (key, share, response) in enumerate(parts, 1):
            answer, opener = scalar_of(response), _key(key)
            committed = _committed(commitments, number)
            noted.append(base.times(answer) + committed.times(challenge))
            noted.append(opener.times(answer) + decoded(share).times(challenge))
    except ElementInvalid as error:
        raise EscrowInvalid(error.message, place="deal") from error
    said = [*deal.keys, *deal.commitments, *deal.shares]
    if commitments[0].is_identity or len(set(deal.keys)) != len(deal.keys):
        raise EscrowInvalid("this deal hides nothing, or deals to one key twice.", place="deal")
    if _challenge(_DEALT, context, said, noted) != challenge:
        raise EscrowInvalid("the shares of this deal are not those of its secret.", place="deal")


def prove_secret(number: int, context: bytes) -> tuple[bytes, bytes]:
    """The owner's: the secret (32 bytes) and the proof that it is the committed one."""
    bases = (_second_base(), BASE)
    points = tuple(base.times(number) for base in bases)
    return points[1].encoded, _prove(context, bases, points, number)


def check_secret(commitment: bytes, secret: bytes, proof: bytes, context: bytes) -> None:
    """Raise EscrowInvalid unless `secret` is what `commitment` fixed, by its owner's proof."""
    try:
        points = decoded(commitment), decoded(secret)
    except ElementInvalid as error:
        raise EscrowInvalid(error.message, place="secret") from error
    _check_proof(context, (_second_base(), BASE), points, proof, "secret")


def open_share(deal: Deal, number: int, context: bytes) -> tuple[int, bytes, bytes]:
    """An opener's: (which share, from 1; what it opens to; the proof that it does).

    `number` is their secret number, see `notes.SigningKey.number`. The deal was checked. Raises
    EscrowInvalid where it has no share for them.
    """
    key = BASE.times(number)
    index = next((at for at, known in enumerate(deal.keys) if _key(known) == key), None)
    if index is None:
        raise EscrowInvalid("this secret was not dealt to this key.", place="deal")
    dealt = decoded(deal.shares[index])
    opened = dealt.times(pow(number, -1, ORDER))
    proof = _prove(context, (BASE, opened), (key, dealt), number)
    return index + 1, opened.encoded, proof


def check_share(deal: Deal, share: int, opened: bytes, proof: bytes, context: bytes) -> None:
    """Raise EscrowInvalid unless the opener of this share (from 1) opened it rightly."""
    if not 1 <= share <= len(deal.keys):
        raise EscrowInvalid(f"this deal has no share {share}.", place="share")
    try:
        bases = BASE, decoded(opened)
        points = _key(deal.keys[share - 1]), decoded(deal.shares[share - 1])
    except ElementInvalid as error:
        raise EscrowInvalid(error.message, place="share") from error
    _check_proof(context, bases, points, proof, "share")


def joined(deal: Deal, opened: Mapping[int, bytes]) -> bytes:
    """The secret (32 bytes) of opened shares by their number, each checked. Raises EscrowInvalid.

    Any `threshold` of them give the same.
    """
    if len(opened) < deal.threshold:
        raise EscrowInvalid(
            f"{len(opened)} of the {deal.threshold} shares that are needed are here.",
            place="escrow",
            remedy=f"Ask {deal.threshold - len(opened)} more custodians.",
        )
    numbers = sorted(opened)[: deal.threshold]
    found = IDENTITY
    for number in numbers:
        weight = 1  # Lagrange's polynomial of this share, at 0
        for other in numbers:
            if other != number:
                weight = weight * other * pow(other - number, -1, ORDER) % ORDER
        found += decoded(opened[number]).times(weight)
    return found.encoded


def _fresh(entropy: Entropy) -> int:
    return int.from_bytes(entropy.random_bytes(64), "little") % ORDER


def _value(coefficients: Sequence[int], at: int) -> int:
    found = 0
    for coefficient in reversed(coefficients):
        found = (found * at + coefficient) % ORDER
    return found


def _committed(commitments: Sequence[Element], at: int) -> Element:
    """The polynomial's value at `at`, times H: Horner's rule, in the group."""
    found = IDENTITY
    for commitment in reversed(commitments):
        found = found.times(at) + commitment
    return found


@lru_cache(maxsize=256)
def _key(public: bytes) -> Element:
    try:
        return from_ed25519(public)
    except ElementInvalid as error:
        raise EscrowInvalid(error.message, place="key") from error


def _prove(
    context: bytes, bases: Sequence[Element], points: Sequence[Element], number: int
) -> bytes:
    """A proof that points[i] is `number` times bases[i], for both i.

    The mask comes from a hash of the secret number, as in RFC 8032: the same proof every time.
    """
    said = [each.encoded for each in (*bases, *points)]
    seed = encode([_NONCE, scalar_bytes(number % ORDER), context, *said])
    mask = int.from_bytes(hashlib.sha512(seed).digest(), "little") % ORDER
    noted = [base.times(mask) for base in bases]
    challenge = _challenge(_EQUAL, context, said, noted)
    return scalar_bytes(challenge) + scalar_bytes((mask - number * challenge) % ORDER)


def _check_proof(
    context: bytes,
    bases: Sequence[Element],
    points: Sequence[Element],
    proof: bytes,
    place: str,
) -> None:
    wrong = EscrowInvalid(f"the proof of this {place} does not fit.", place=place)
    if len(proof) != PROOF_BYTES:
        raise wrong
    try:
        challenge = scalar_of(proof[:ELEMENT_BYTES])
        answer = scalar_of(proof[ELEMENT_BYTES:])
    except ElementInvalid as error:
        raise wrong from error
    pairs = zip(bases, points, strict=True)
    noted = [base.times(answer) + point.times(challenge) for base, point in pairs]
    said = [each.encoded for each in (*bases, *points)]
    if _challenge(_EQUAL, context, said, noted) != challenge:
        raise wrong


def _challenge(what: bytes, context: bytes, said: Sequence[bytes], noted: Sequence[Element]) -> int:
    hashed = encode([what, context, list(said), [each.encoded for each in noted]])
    return int.from_bytes(hashlib.sha512(hashed).digest(), "little") % ORDER
