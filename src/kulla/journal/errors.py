"""The journal's errors: each says where it stands (an index, a path, a line) and what to do."""

from __future__ import annotations

from kulla.kernel.errors import KullaError


class JournalError(KullaError):
    """Something about the journal is not as it must be."""


class ProofInvalid(JournalError):
    """A Merkle proof, or hashes that must lead to a root, do not."""


class NoteInvalid(JournalError):
    """Text that is not a well-formed signed note, or a key that is not a well-formed key."""


class SignatureInvalid(JournalError):
    """A signature of a known key that does not verify, or one that is needed and missing."""


class QuorumMissing(SignatureInvalid):
    """Too few of the policy's embassies signed."""


class CustodiansMissing(SignatureInvalid):
    """Too few custodians signed a policy or a takeover."""


class CheckpointInvalid(JournalError):
    """A note whose text is not a checkpoint, or a checkpoint of another log."""


class PolicyInvalid(JournalError):
    """A policy file that can't be read, is not signed as it must be, or doesn't follow the old."""


class EntryInvalid(JournalError):
    """An entry that can't be read, or whose plaintext does not fit its commitment."""


class BundleInvalid(EntryInvalid):
    """An entry bundle that is cut short, has bytes left over, or is too wide."""


class ReceiptInvalid(JournalError):
    """A receipt that can't be read, or that does not prove what it says."""


class ReceiptMalformed(ReceiptInvalid):
    """A receipt that is cut short, or is not written as receipts are."""


class ReceiptCommitmentWrong(ReceiptInvalid):
    """The act that a receipt shows is not the one that its entry was made for."""


class ReceiptLogUnsigned(ReceiptInvalid):
    """The receipt's checkpoint is not signed by a log that the policy names."""


class ReceiptCosignatureWrong(ReceiptInvalid):
    """An embassy's cosignature in a receipt does not verify."""


class ReceiptUnwitnessed(ReceiptInvalid):
    """Fewer embassies cosigned the receipt's checkpoint than the policy asks for."""


class ReceiptInclusionWrong(ReceiptInvalid):
    """The receipt's entry is not in the journal at the place that it says."""


class SuccessionInvalid(JournalError):
    """The statement of a takeover can't be read, or does not fit the policy."""


class SealInvalid(JournalError):
    """An embassy's answer to a seal can't be read, or does not say what it must."""


class AnnulmentInvalid(JournalError):
    """An undo's statement or its parts can't be read, don't belong together, or aren't signed."""


class PolicyMissing(JournalError):
    """What custodians signed names a version of the policy that is not at hand to judge it by."""


class PathInvalid(JournalError):
    """A path that does not name an object of a store."""


class TileMissing(JournalError):
    """An object that a store should hold and doesn't."""


class StoreConflict(JournalError):
    """A store holds other bytes under this name, or another writer holds the store."""


class StoreFailed(JournalError):
    """The disk or service below a store refused; nothing may be assumed about what it kept.

    The process that meets this ends: a write that failed once is never repeated on hope.
    """


class ProposalInvalid(JournalError):
    """What custodians should sign, or what one of them answered, is not as it must be."""


class LotteryInvalid(JournalError):
    """A statement of an embassy or of a custodian about a lottery that does not hold."""
