"""What can go wrong at the keeper. No message holds a value, a key or a name."""

from __future__ import annotations

from kulla.kernel.errors import KullaError


class KeeperError(KullaError):
    """The keeper can't do what was asked."""


class KeeperUnavailable(KeeperError):
    """The keeper did not answer in time; nothing of what was asked can be told to have happened."""


class UnknownSubject(KeeperError):
    """The keeper holds no key for this subject."""


class SealBroken(KeeperError):
    """Sealed bytes that don't open: of another subject, purpose or field, or not as they were."""


class ValueTooLong(KeeperError):
    """A value is longer than a sealed field may be."""


class AskMalformed(KeeperError):
    """What was asked of the keeper is not of a shape or size that it answers."""


class OpeningNotLogged(KeeperError):
    """The openings log could not be written, so nothing was opened."""


class BlobBroken(KeeperError):
    """A wrapped key that does not unwrap with this recovery key."""


class RecoveryKeyInvalid(KeeperError):
    """These bytes are no recovery key."""


class KeeperFolderInvalid(KeeperError):
    """The keeper's folder is missing, incomplete, in use, or there already."""


class ShareInvalid(KeeperError):
    """A share of the recovery key that can't be read or is false, or too few of them."""
