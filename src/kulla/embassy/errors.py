"""The embassy's errors: what a client did, what a setting says, and what ends the process."""

from __future__ import annotations

from collections.abc import Sequence

from kulla.kernel.errors import KullaError


class EmbassyError(KullaError):
    """Something about an embassy is not as it must be."""


class EmbassyBroken(KullaError):
    """The embassy can't rely on what it stored: the process ends, and answers nothing more."""


class SettingsInvalid(EmbassyError):
    """An embassy's folder or a line of its embassy.toml can't be used."""


class BodyInvalid(EmbassyError):
    """The body of a request is not in its format."""


class BodyTooLarge(EmbassyError):
    """The body of a request is over the embassy's limit, as sent or once inflated."""


class QuotaFull(EmbassyError):
    """The embassy takes no more: `today` where tomorrow it will, else until its operator acts."""

    def __init__(self, message: str, *, today: bool, place: str = "", remedy: str = "") -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.today = today


class AccessDenied(EmbassyError):
    """A request that only readers of the policy file may make did not prove that it is theirs."""


class BlobMissing(EmbassyError):
    """The embassy holds no blob of this name."""


class BlobDamaged(EmbassyError):
    """The bytes that the embassy holds under a name no longer have this hash."""


class BlobsFailed(EmbassyBroken):
    """The disk below the blob store refused; like StoreFailed, it ends the process."""


class MirrorBroken(EmbassyBroken):
    """What an embassy stored contradicts itself: it stops rather than sign on top of it."""


class Unreachable(EmbassyError):
    """An embassy did not answer, or not in time. What was asked of it may have happened."""


class Refused(EmbassyError):
    """An embassy answered and said no: `status` is HTTP's, `reason` the embassy's own sentence."""

    def __init__(self, status: int, reason: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(f"refused with {status}: {reason}", place=place, remedy=remedy)
        self.status = status
        self.reason = reason


class SizeConflict(Refused):
    """add-checkpoint named another old size than the embassy's pending checkpoint has: `size`."""

    def __init__(self, size: int, *, place: str = "") -> None:
        super().__init__(409, f"the pending checkpoint has the size {size}.", place=place)
        self.size = size


class Conflict(Refused):
    """add-entries does not fit the embassy's state: go on at `next_entry` up to `size`."""

    def __init__(self, size: int, next_entry: int, ticket: bytes, *, place: str = "") -> None:
        super().__init__(409, f"go on at {next_entry} up to {size}.", place=place)
        self.size = size
        self.next_entry = next_entry
        self.ticket = ticket


class MissingBlobs(Refused):
    """Entries name blobs that the embassy does not hold: put `names` (32 bytes each) first."""

    def __init__(self, names: Sequence[bytes], *, place: str = "") -> None:
        super().__init__(422, f"{len(names)} blobs are missing.", place=place)
        self.names = tuple(names)


class ForkRefused(Refused):
    """The embassy holds another history under the same key; `held` is its signed checkpoint."""

    def __init__(self, status: int, held: bytes, *, place: str = "") -> None:
        super().__init__(status, "this log's key signed two histories.", place=place)
        self.held = held


class LogSealed(Refused):
    """The log's epoch has ended: custodians signed `statement`, and the embassy takes no more."""

    def __init__(self, statement: bytes, *, place: str = "") -> None:
        super().__init__(403, "this log is sealed.", place=place)
        self.statement = statement


class SealedForAnother(Refused):
    """The log's epoch has ended for another takeover, which `statement` allowed: that one counts.

    A succession that names that one in `instead` is taken.
    """

    def __init__(self, statement: bytes, *, place: str = "") -> None:
        super().__init__(409, "this log is sealed for another takeover.", place=place)
        self.statement = statement


class AnswerInvalid(EmbassyError):
    """An embassy's answer is not in its format, or its signature does not fit."""


class NotSettled(EmbassyError):
    """The reachable embassies do not agree on one history: custodians must decide."""
