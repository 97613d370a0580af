"""What custodians are asked to sign, as one text that people can read and compare.

A proposal says what the next version of the policy is and, at a takeover, which log follows which.
Its upper part is in words; below stand the very texts that are signed. The words are made from
those texts, and a file whose words are others is refused, so what a custodian reads is what is
signed. A short fingerprint over all that is signed is compared by telephone.

A custodian answers with a signature file: a few lines that fit one QR code.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

from kulla.journal.epochs import Succession, check_follows, parse_succession_text
from kulla.journal.errors import JournalError, NoteInvalid, ProposalInvalid
from kulla.journal.notes import (
    Note,
    NoteSignature,
    SigningKey,
    VerifierKey,
    decode_base64,
    encode_base64,
)
from kulla.journal.policy_file import (
    Custodian,
    Log,
    PolicyFile,
    parse_policy,
    require_custodians,
    verify_policy_signatures,
)
from kulla.journal.proposal_words import words_of
from kulla.kernel.canonical import Value, encode

TAKEOVER: Final = "kulla takeover plan v1"
CHANGE: Final = "kulla policy change v1"
SIGNATURE: Final = "kulla custodian signature v1"
PROPOSAL_BYTES_MAX: Final = 1 << 20

_SUCCESSION, _NEXT, _NOW, _SHARES_TO = "succession", "next policy", "policy now", "shares go to"
_CROCKFORD: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)


def fingerprint(data: bytes) -> str:
    """80 bits of SHA-256 as four groups of four letters and digits that are not mistaken easily.

    Enough that nobody finds another text with the same one (2**80 tries), short enough to be read
    out. Crockford's base 32: no I, L, O or U.
    """
    text = base64.b32encode(hashlib.sha256(data).digest()[:10]).decode().translate(_CROCKFORD)
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


@dataclass(frozen=True)
class Proposal:
    """What is to be signed.

    now:        the policy that holds, signed by its custodians.
    following:  the next version, without signatures.
    succession: at a takeover the statement that the new log follows; None at a change.
    shares_to:  at a takeover the public key to which custodians seal their shares of the recovery
                key; b'' where none is wanted.
    """

    now: PolicyFile
    following: PolicyFile
    succession: Succession | None = None
    shares_to: bytes = b""

    @property
    def fingerprint(self) -> str:
        """What people compare: it stands for all that is signed, and for who gets the shares."""
        signed: list[Value] = [self._succession_text, self.following.unsigned_text()]
        return fingerprint(encode([*signed, self.shares_to]))

    @property
    def _succession_text(self) -> str:
        return self.succession.text() if self.succession else ""

    def render(self) -> bytes:
        """The bytes of the file."""
        parts = {
            _SUCCESSION: self._succession_text,
            _NEXT: self.following.unsigned_text(),
            _NOW: self.now.render().decode(),
            _SHARES_TO: _folded(self.shares_to),
        }
        first = TAKEOVER if self.succession else CHANGE
        words = words_of(self.now, self.following, self.succession)
        lines = [first, "", f"Fingerprint: {self.fingerprint}", "", *words, ""]
        text = "".join(f"{line}\n" for line in lines)
        text += "".join(f"== {name} ==\n{body}" for name, body in parts.items() if body)
        return (text + "== end ==\n").encode()

    def check(self) -> None:
        """Raise a JournalError unless `following` may follow `now` once it is signed.

        A takeover adds one log and nothing else; a change leaves the logs alone.
        """
        verify_policy_signatures(self.now)
        expected = replace(
            self.following,
            version=self.now.version + 1,
            tower=self.now.tower,
            relying_party=self.now.relying_party,
            signatures=(),
        )
        if self.succession:
            check_follows(self.succession, self.now)
            log = Log(self.succession.new_log, self.succession.new_url)
            expected = replace(
                self.now, version=self.now.version + 1, logs=(*self.now.logs, log), signatures=()
            )
            if self.succession.old_origin != self.now.current_log.key.name:
                raise ProposalInvalid("this takeover does not follow the newest log.")
        elif self.following.logs != self.now.logs:
            raise ProposalInvalid("a change of the policy leaves the logs as they are.")
        if self.following != expected:
            raise ProposalInvalid("the next policy is not the one that these words describe.")
        check_quorum(self.following)

    def check_trusted(self, trusted: PolicyFile) -> None:
        """Raise a JournalError unless `now` is the policy `trusted`, or one that came after it.

        A later one counts where enough custodians of the trusted one signed it and it keeps the
        logs of the past.
        """
        if self.now.tower != trusted.tower:
            raise ProposalInvalid(f"this is of '{self.now.tower}', you trust '{trusted.tower}'.")
        if self.now == trusted:
            return
        if self.now.version <= trusted.version:
            raise ProposalInvalid(
                f"this stands on version {self.now.version} of the policy, and you trust "
                f"version {trusted.version}.",
                remedy="Ask who sent it for a new one, made on the newest policy.",
            )
        require_custodians(
            trusted,
            Note(self.now.unsigned_text(), self.now.signatures),
            what=f"version {self.now.version} of the policy",
        )
        known = [log.key for log in trusted.logs]
        if [log.key for log in self.now.logs[: len(known)]] != known:
            raise ProposalInvalid("the policy in it does not keep the logs that you know.")

    def custodian(self, key: VerifierKey) -> Custodian | None:
        """The custodian, of the policy now or the next one, whose key this is."""
        return next((who for who in self.asked() if who.key == key), None)

    def asked(self) -> tuple[Custodian, ...]:
        """All who may sign: the custodians of now, and those who are to be."""
        return tuple(dict.fromkeys((*self.now.custodians, *self.following.custodians)))


def _folded(data: bytes) -> str:
    """Base64 in lines that no mailer breaks."""
    text = encode_base64(data)
    return "".join(f"{text[at : at + 76]}\n" for at in range(0, len(text), 76))


def check_quorum(policy: PolicyFile) -> None:
    """Raise ProposalInvalid where two histories could each find a quorum (2k <= n)."""
    if 2 * policy.quorum_k <= policy.n:
        raise ProposalInvalid(
            f"{policy.quorum_k} of {policy.n} embassies are no quorum: two histories could each "
            "find as many.",
            place="quorum",
            remedy="Four embassies with a quorum of three let home and any one of them be lost.",
        )


def parse_proposal(data: bytes, *, place: str = "") -> Proposal:
    """Read a proposal; its words, spelling and fingerprint must be those that it is written with.

    Verifies no signature: see `check` and `check_trusted`. Raises ProposalInvalid.
    """
    if len(data) > PROPOSAL_BYTES_MAX:
        raise ProposalInvalid("this file is far too long.", place=place)
    try:
        text = data.decode().replace("\r\n", "\n")
        parts = _parts(text, place)
        succession = parts.get(_SUCCESSION)
        shares_to = parts.get(_SHARES_TO, "")
        proposal = Proposal(
            now=parse_policy(parts[_NOW].encode()),
            following=parse_policy(parts[_NEXT].encode()),
            succession=parse_succession_text(succession) if succession else None,
            shares_to=decode_base64("".join(shares_to.split())) if shares_to else b"",
        )
        spelled = proposal.render().decode()
    except KeyError as error:
        raise ProposalInvalid(
            "this file lacks a part, or is no plan.",
            place=place,
            remedy="Get the whole file again from who made the plan.",
        ) from error
    except (JournalError, UnicodeDecodeError) as error:
        raise ProposalInvalid(f"this plan can't be read: {error}", place=place) from error
    if spelled != text:
        raise _altered(spelled, text, place)
    return proposal


def _parts(text: str, place: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("== ") and line.endswith(" ==\n"):
            name = line[3:-4]
            if name in parts:
                raise ProposalInvalid(f"the part '{name}' stands in it twice.", place=place)
            parts[name] = ""
        elif name:
            parts[name] += line
    return parts


def _altered(spelled: str, text: str, place: str) -> ProposalInvalid:
    pairs = enumerate(zip(spelled.split("\n"), text.split("\n"), strict=False), 1)
    line = next((number for number, (must, is_) in pairs if must != is_), 0)
    return ProposalInvalid(
        "this line is not as the plan was written: its words do not fit what would be signed.",
        place=f"{place}, line {line}" if place else f"line {line}",
        remedy="Sign nothing. Get the file again from who made the plan, and call the others.",
    )


@dataclass(frozen=True)
class SignatureFile:
    """A custodian's answer to a proposal.

    succession: their signature of the statement, at a takeover; policy: of the next version.
    share: their share of the recovery key, sealed to the plan's key, or b''.
    """

    fingerprint: str
    custodian: str
    policy: NoteSignature
    succession: NoteSignature | None = None
    share: bytes = field(default=b"", repr=False)

    def render(self) -> bytes:
        """The bytes of the file: at most some 2,700, so that a QR code holds them."""
        lines = [SIGNATURE, f"plan {self.fingerprint}", f"custodian {self.custodian}"]
        if self.succession:
            lines.append(f"succession {_payload(self.succession)}")
        lines.append(f"policy {_payload(self.policy)}")
        if self.share:
            lines.append(f"share {encode_base64(self.share)}")
        return "".join(f"{line}\n" for line in lines).encode()


def _payload(signature: NoteSignature) -> str:
    return encode_base64(signature.key_id + signature.payload)


def sign_proposal(proposal: Proposal, key: SigningKey, share: bytes = b"") -> SignatureFile:
    """A custodian's signatures of all that is proposed. Raises ProposalInvalid where it is none.

    The caller has checked the proposal (`check`, `check_trusted`) and shown it to the custodian.
    """
    if proposal.custodian(key.verifier) is None:
        raise ProposalInvalid(
            f"'{key.name}' is not the key of a custodian who may sign this.",
            remedy="Use your own key, as `kulla init` or `kulla custodian key` made it.",
        )
    statement = key.sign_note(proposal.succession.text()) if proposal.succession else None
    policy = key.sign_note(proposal.following.unsigned_text())
    return SignatureFile(proposal.fingerprint, key.name, policy, statement, share)


def parse_signature_file(data: bytes, *, place: str = "") -> SignatureFile:
    """Read a signature file; verifies nothing. Raises ProposalInvalid."""
    try:
        first, *lines = data.decode().strip().splitlines()
        fields = dict(line.strip().partition(" ")[::2] for line in lines)
    except (UnicodeDecodeError, ValueError) as error:
        raise ProposalInvalid("this is no signature file.", place=place) from error
    known = {"plan", "custodian", "succession", "policy", "share"}
    if first.strip() != SIGNATURE or not {"plan", "custodian", "policy"} <= fields.keys() <= known:
        raise ProposalInvalid(
            "this is no signature file, or not a whole one.",
            place=place,
            remedy="Ask the custodian to send the file again.",
        )
    try:
        name = fields["custodian"]
        statement = fields.get("succession")
        return SignatureFile(
            fields["plan"],
            name,
            _signature(name, fields["policy"]),
            _signature(name, statement) if statement else None,
            decode_base64(fields["share"]) if fields.get("share") else b"",
        )
    except NoteInvalid as error:
        raise ProposalInvalid(f"this signature is damaged: {error}", place=place) from error


def _signature(name: str, text: str) -> NoteSignature:
    data = decode_base64(text)
    if len(data) != 68:
        raise NoteInvalid("it has not its length.")
    return NoteSignature(name, data[:4], data[4:])


@dataclass(frozen=True)
class Collected:
    """What custodians sent: each one's good file, and what was bad."""

    proposal: Proposal
    files: Mapping[Custodian, SignatureFile]
    faults: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Who signed, by their names in the policy."""
        return tuple(sorted({who.name for who in self.files}))

    @property
    def waited_for(self) -> tuple[str, ...]:
        """Who may still sign."""
        return tuple(sorted({who.name for who in self.proposal.asked()} - set(self.names)))

    @property
    def missing(self) -> int:
        """How many more must sign; 0 where it is enough."""
        return max(self._missing(self.proposal.now), self._missing(self.proposal.following))

    def _missing(self, policy: PolicyFile) -> int:
        signed = sum(who in self.files for who in policy.custodians)
        return max(0, policy.custodian_threshold - signed)

    def succession(self) -> bytes:
        """The note of the succession with all signatures. Raises NoteInvalid without any."""
        assert self.proposal.succession is not None
        signatures = [file.succession for file in self.files.values() if file.succession]
        return Note(self.proposal.succession.text(), tuple(signatures)).render()

    def policy(self) -> PolicyFile:
        """The next policy with all signatures."""
        signatures = tuple(file.policy for file in self.files.values())
        return replace(self.proposal.following, signatures=signatures)


def collect(proposal: Proposal, files: Iterable[tuple[str, bytes]]) -> Collected:
    """Take what custodians sent, (place, bytes) each, in any order and also twice.

    A file that is damaged, of another plan or of a stranger is named among the faults and hinders
    nobody else's.
    """
    good: dict[Custodian, SignatureFile] = {}
    faults: list[str] = []
    for place, data in files:
        try:
            found = parse_signature_file(data, place=place)
            who = _checked(proposal, found, place)
        except JournalError as error:
            faults.append(str(error))
            continue
        if who not in good or found.share:
            good[who] = found
    return Collected(proposal, good, tuple(faults))


def _checked(proposal: Proposal, file: SignatureFile, place: str) -> Custodian:
    def refuse(message: str, remedy: str = "") -> NoReturn:
        raise ProposalInvalid(message, place=place, remedy=remedy)

    if file.fingerprint != proposal.fingerprint:
        refuse(
            f"{file.custodian} signed another plan ({file.fingerprint}).",
            f"Send them the file of this one, {proposal.fingerprint}.",
        )
    named = [who for who in proposal.asked() if who.key.name == file.custodian]
    who = next((who for who in named if who.key.key_id == file.policy.key_id), None)
    if who is None:
        refuse(f"'{file.custodian}' is no custodian of this policy with this key.")
    texts = [(proposal.following.unsigned_text(), file.policy)]
    if proposal.succession:
        texts.append((proposal.succession.text(), file.succession or file.policy))
    if not all(who.key.verifies(text, signature.payload) for text, signature in texts):
        refuse(f"the signature of {who.name} does not fit.", "Ask them to sign and send it again.")
    return who
