"""What the rest of Kulla may ask of the keeper.

Two layers protect a personal value. The inner one is made here: each subject has a random key of
their own, and each field is sealed under it once, where it enters. Acts and registers hold only
that. The subject's key leaves the keeper only wrapped to the recovery key, whose private half is
outside home: this is the *blob*, which the embassies hold.

This is the first cut behind its final port. What comes later fits without changing it:

* custody: `adopt` takes the recovery key from those who put it together; where shares of custodians
  take the place of one key, they are joined before it is called.
* openings under rules: `open` already says who asks, for which purpose and why. Rules will refuse
  some with an error of their own (derived from KeeperError), or journal them; callers handle
  KeeperError as 'can't be shown'.
* erasure: a subject's key and blob are destroyed; from then on `seal` and `open` raise
  UnknownSubject, and `adopt` refuses the blob however often it comes back. Readers show such a
  field as erased; replay never needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

ENROL_MAX = 1000
FIELDS_MAX = 64
NAMES_MAX = 2000


class Enrolled(NamedTuple):
    """A new subject: id (32 hex digits), SHA-256 name of the blob (32 bytes), the blob."""

    subject: str
    name: bytes
    blob: bytes


class Adopted(NamedTuple):
    """What a rebuild brought: how many subjects have keys now, and the names of refused blobs.

    A blob is refused where it does not unwrap, or where its subject has another key already.
    """

    subjects: int
    refused: tuple[bytes, ...]


class Keeper(Protocol):
    """Holds subjects' keys, seals and opens their fields. Safe to call from any thread.

    Over a socket every method may also raise KeeperUnavailable; then it may or may not have been
    done, and asking again is always safe: `enrol` at worst leaves subjects that nobody uses.
    """

    def enrol(self, count: int) -> Sequence[Enrolled]:
        """Make `count` new subjects with keys, at most ENROL_MAX at once.

        When it returns, their keys are on this home's disk, and only there: a command that uses a
        subject must name the blob, so that a quorum holds it before the act counts. Raises
        AskMalformed for another count.
        """
        ...

    def seal(
        self, subject: str, fields: Mapping[str, str], purpose: str, once: bytes = b""
    ) -> dict[str, bytes]:
        """Seal fields under the subject's key, for one purpose (the service they belong to).

        The same value sealed twice gives different bytes, but for the same `once` (a command's id)
        the same: a form that is posted again is the same command. Raises UnknownSubject,
        ValueTooLong, AskMalformed (more than FIELDS_MAX fields).
        """
        ...

    def open(
        self, subject: str, sealed: Mapping[str, bytes], purpose: str, asker: str, reason: str
    ) -> dict[str, str]:
        """Open fields that were sealed for this subject, field by field, and this purpose.

        All or none, and not before the opening is in the openings log: who asked (`asker`), why
        (`reason`), for which subject, purpose and fields, when; never a value. Neither `asker` nor
        `reason` may hold personal data. Raises UnknownSubject, SealBroken, OpeningNotLogged,
        AskMalformed.
        """
        ...

    def token(self, column: str, value: str) -> bytes:
        """32 bytes that stand for a value in an index (HMAC-SHA-256, a key of its own a column).

        Only for values that are unique by nature, in one spelling: others would show who shares
        one. Raises AskMalformed for an empty column or value, ValueTooLong.
        """
        ...

    def wrapped(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give the blobs with these SHA-256 names; those that the keeper does not have are missing.

        At most NAMES_MAX names; raises AskMalformed beyond.
        """
        ...

    def adopt(self, recovery_private: bytes, blobs: Iterable[bytes]) -> Adopted:
        """Take over the keys in these blobs, as a new home does; asking again changes nothing.

        Anybody who knows the public recovery key can make a blob for any subject, so blobs come in
        the order in which the journal's entries named them: the first of a subject counts. When it
        returns, the keys are on the disk. Raises RecoveryKeyInvalid.
        """
        ...
