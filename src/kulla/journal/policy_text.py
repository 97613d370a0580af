"""The text of policy files: what its lines say (PolicyTerms), reading them and spelling them.

C2SP tlog-policy with Kulla's own statements in comment lines; `policy_file` gives them meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from kulla.journal.errors import NoteInvalid, PolicyInvalid
from kulla.journal.notes import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    KIND_MLDSA44,
    SIGNATURES_MAX,
    NoteSignature,
    VerifierKey,
    parse_signature_line,
)

HEADER: Final = "# kulla-policy v1"
SIGNED: Final = "# signed"
NO_QUORUM: Final = "none"

POLICY_BYTES_MAX: Final = 1 << 18
LOGS_MAX: Final = 256
WITNESSES_MAX: Final = SIGNATURES_MAX - 1  # with the log's own signature they fit one note
GROUPS_MAX: Final = 64
CUSTODIANS_MAX: Final = 32
READERS_MAX: Final = 64

_NUMBER_DIGITS_MAX: Final = 9
_OCTETS: Final = bytes([0x09, 0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)])


@dataclass(frozen=True, slots=True)
class Log:
    """One epoch's log: its key (kind 1 in Kulla), whose name is the origin, and its URL or ''."""

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Embassy:
    """A witness of the policy: its mirror key (kind 4) and its URL or ''.

    `statement_key` (kind 1) signs what the embassy states at a takeover; a stranger's witness has
    none.
    """

    name: str
    key: VerifierKey
    url: str = ""
    statement_key: VerifierKey | None = None


@dataclass(frozen=True, slots=True)
class Custodian:
    """A person who signs policies and takeovers with a key of kind 1."""

    name: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class Reader:
    """A site that may fetch tiles and blobs from embassies, known by a key of kind 1."""

    name: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of `members` (embassies, or groups defined before) must sign."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class PolicyTerms:
    """What the lines of a policy file say.

    logs:       one an epoch, oldest first; the last is the current one.
    groups:     in an order where members come before the groups that name them.
    quorum:     the name of a group or an embassy, or 'none'.
    signatures: by custodians; the fields from `tower` on are empty in a stranger's plain policy.
    """

    logs: tuple[Log, ...]
    embassies: tuple[Embassy, ...]
    groups: tuple[Group, ...]
    quorum: str
    tower: str = ""
    version: int = 0
    custodian_threshold: int = 0
    custodians: tuple[Custodian, ...] = ()
    readers: tuple[Reader, ...] = ()
    relying_party: str = ""
    signatures: tuple[NoteSignature, ...] = ()


def spell(terms: PolicyTerms) -> bytes:
    """The one spelling of `terms`; nothing is checked, so read it back before trusting it."""
    lines: list[str] = []
    if terms.tower:
        lines += [HEADER, f"# tower {terms.tower}", f"# version {terms.version}"]
        lines += [f"# custodians {terms.custodian_threshold}"]
        lines += [f"# custodian {who.name} {who.key.text()}" for who in terms.custodians]
        lines += [f"# reader {who.name} {who.key.text()}" for who in terms.readers]
        lines += [f"# relying-party {terms.relying_party}"] if terms.relying_party else []
    lines += [f"log {log.key.text()} {log.url}".rstrip(" ") for log in terms.logs]
    for embassy in terms.embassies:
        lines.append(f"witness {embassy.name} {embassy.key.text()} {embassy.url}".rstrip(" "))
        if embassy.statement_key:
            lines.append(f"# statement-key {embassy.name} {embassy.statement_key.text()}")
    lines += [f"group {g.name} {g.threshold} {' '.join(g.members)}" for g in terms.groups]
    lines += [f"quorum {terms.quorum}"]
    if terms.signatures:
        lines += [SIGNED, *(f"# {signature.line()[:-1]}" for signature in terms.signatures)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def read_terms(data: bytes, *, place: str = "") -> PolicyTerms:
    """Read a policy file of at most 256 KiB; verifies no signature.

    Raises PolicyInvalid, whose place is `place` and the line that is wrong.
    """
    lines = _lines(data, place)
    is_kulla = lines[0] == HEADER
    if lines[0].startswith("# kulla-policy") and not is_kulla:
        raise PolicyInvalid(
            f"this is a policy of the unknown form {lines[0][:40]!r}.",
            place=f"{place}, line 1" if place else "line 1",
            remedy="A newer release of Kulla may know it.",
        )
    if is_kulla:
        _check_utf8(lines, place)
    reading = _Reading(place, is_kulla)
    for number, line in enumerate(lines, 1):
        reading.take(number, line)
    terms = reading.terms()
    if is_kulla:
        _check_spelling(data, spell(terms), place)
    return terms


def _lines(data: bytes, place: str) -> list[str]:
    if len(data) > POLICY_BYTES_MAX:
        raise PolicyInvalid(f"this policy is over {POLICY_BYTES_MAX} bytes.", place=place)
    if data.translate(None, _OCTETS):
        at = next(i for i, octet in enumerate(data) if octet not in _OCTETS)
        line = data.count(b"\n", 0, at) + 1
        raise PolicyInvalid(
            f"the octet 0x{data[at]:02x} may not stand in a policy.",
            place=f"{place}, line {line}" if place else f"line {line}",
        )
    if not data.endswith(b"\n"):
        raise PolicyInvalid(
            "the last line of this policy does not end with a newline.",
            place=place,
            remedy="It may have been cut short: fetch it again.",
        )
    return data[:-1].decode("utf-8", "surrogateescape").split("\n")


def _check_utf8(lines: Sequence[str], place: str) -> None:
    """A tower's policy is the text of a signed note, which is UTF-8."""
    for number, line in enumerate(lines, 1):
        if not line.isascii() and any(0xDC80 <= ord(letter) <= 0xDCFF for letter in line):
            raise PolicyInvalid(
                "this line of a tower's policy is not UTF-8.",
                place=f"{place}, line {number}" if place else f"line {number}",
            )


def _check_spelling(data: bytes, spelled: bytes, place: str) -> None:
    if data == spelled:
        return
    pairs = zip(data.split(b"\n"), spelled.split(b"\n"), strict=False)
    line = next((i for i, (is_, must) in enumerate(pairs, 1) if is_ != must), 1)
    raise PolicyInvalid(
        "this line is not spelled, or does not stand, as in a Kulla policy.",
        place=f"{place}, line {line}" if place else f"line {line}",
        remedy="Only the form that Kulla writes is taken, so that nothing can hide in it.",
    )


class _Reading:
    """The state of one pass over the lines; each refusal names the line it stands at."""

    def __init__(self, place: str, is_kulla: bool) -> None:
        self._place = place
        self._is_kulla = is_kulla
        self._line = 0
        self._logs: list[Log] = []
        self._embassies: list[Embassy] = []
        self._groups: list[Group] = []
        self._quorum = ""
        self._named: dict[str, bool] = {}  # witness or group name -> already in a group
        self._keys: dict[tuple[str, bytes], str] = {}  # (purpose, public key) -> where it stood
        self._values: dict[str, str] = {}  # tower, version, custodians, relying-party
        self._custodians: list[Custodian] = []
        self._readers: list[Reader] = []
        self._signatures: list[NoteSignature] | None = None  # a list from the line '# signed' on

    def take(self, number: int, line: str) -> None:
        self._line = number
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if not words:
            return
        if words[0].startswith("#"):
            if self._is_kulla:
                self._take_comment(line, words)
            return
        takers: dict[str, Callable[[Sequence[str]], None]] = {
            "log": self._take_log,
            "witness": self._take_witness,
            "group": self._take_group,
            "quorum": self._take_quorum,
        }
        if self._is_kulla and "#" in line:
            # Some tools take a '#' anywhere for the start of a comment and would read less than us.
            self._refuse("a '#' may not stand inside a line of a tower's policy.")
        taker = takers.get(words[0])
        if taker is None:
            self._refuse(f"a policy has no lines that begin with {words[0][:40]!r}.")
        taker(words[1:])

    def terms(self) -> PolicyTerms:
        """What was read. Raises PolicyInvalid where something is missing."""
        if not self._quorum:
            raise PolicyInvalid("this policy has no quorum line.", place=self._place)
        if not self._is_kulla:
            return PolicyTerms(
                tuple(self._logs), tuple(self._embassies), tuple(self._groups), self._quorum
            )
        threshold = self._check_kulla()
        return PolicyTerms(
            tuple(self._logs),
            tuple(self._embassies),
            tuple(self._groups),
            self._quorum,
            tower=self._values["tower"],
            version=self._number(self._values["version"]),
            custodian_threshold=threshold,
            custodians=tuple(self._custodians),
            readers=tuple(self._readers),
            relying_party=self._values.get("relying-party", ""),
            signatures=tuple(self._signatures or ()),
        )

    def _check_kulla(self) -> int:
        for name in ("tower", "version", "custodians"):
            if name not in self._values:
                raise PolicyInvalid(f"this policy has no line '# {name}'.", place=self._place)
        if not self._logs or self._quorum == NO_QUORUM:
            raise PolicyInvalid("a tower's policy names a log and a quorum.", place=self._place)
        threshold = self._number(self._values["custodians"])
        if not 1 <= threshold <= len(self._custodians):
            raise PolicyInvalid(
                f"{threshold} of {len(self._custodians)} custodians can't be asked to sign.",
                place=self._place,
            )
        return threshold

    def _refuse(self, message: str, remedy: str = "") -> NoReturn:
        raise PolicyInvalid(message, place=self._at(), remedy=remedy)

    def _at(self) -> str:
        return f"{self._place}, line {self._line}" if self._place else f"line {self._line}"

    def _number(self, word: str) -> int:
        good = word.isascii() and word.isdigit() and len(word) <= _NUMBER_DIGITS_MAX
        if not good or word.startswith("0"):
            self._refuse(f"{word[:40]!r} is not a number from 1 on, in decimal.")
        return int(word)

    def _key(self, text: str, purpose: str, kinds: tuple[int, ...]) -> VerifierKey:
        try:
            key = VerifierKey.parse(text)
        except NoteInvalid as error:
            self._refuse(error.message, error.remedy)
        if key.kind not in kinds:
            self._refuse(f"a key of kind {key.kind} can't be that of a {purpose}.")
        # In a tower's policy a key serves one purpose, so that nothing signed for one counts for
        # another; tlog-policy itself only forbids the same key on two lines of one kind.
        listed = self._keys.setdefault(("" if self._is_kulla else purpose, key.public), self._at())
        if listed != self._at():
            self._refuse(f"this key stands already at {listed}.")
        return key

    def _kinds(self, kind: int) -> tuple[int, ...]:
        return (kind,) if self._is_kulla else (kind, KIND_MLDSA44)

    def _room(self, taken: int, limit: int, what: str) -> None:
        if taken >= limit:
            self._refuse(f"a policy may have {limit} {what}, and no more.")

    def _take_log(self, words: Sequence[str]) -> None:
        if len(words) not in (1, 2):
            self._refuse("a log line reads: log <vkey> [<url>].")
        self._room(len(self._logs), LOGS_MAX, "logs")
        key = self._key(words[0], "log", self._kinds(KIND_ED25519))
        if self._is_kulla and any(log.key.name == key.name for log in self._logs):
            self._refuse(f"two logs have the origin '{key.name}'.")
        self._logs.append(Log(key, words[1] if len(words) == 2 else ""))

    def _take_witness(self, words: Sequence[str]) -> None:
        if len(words) not in (2, 3):
            self._refuse("a witness line reads: witness <name> <vkey> [<url>].")
        self._room(len(self._embassies), WITNESSES_MAX, "witnesses")
        self._define(words[0])
        key = self._key(words[1], "witness", self._kinds(KIND_COSIGNATURE))
        self._embassies.append(Embassy(words[0], key, words[2] if len(words) == 3 else ""))

    def _take_group(self, words: Sequence[str]) -> None:
        if len(words) < 3:
            self._refuse("a group line reads: group <name> all|any|<k> <name>...")
        self._room(len(self._groups), GROUPS_MAX, "groups")
        name, count, *members = words
        for member in members:
            if member not in self._named:
                self._refuse(f"the group names '{member}', which no line before defines.")
            if self._named[member]:
                self._refuse(f"'{member}' is a member of a group already.")
            self._named[member] = True
        self._define(name)
        shorthands = {"any": 1, "all": len(members)}
        threshold = shorthands[count] if count in shorthands else self._number(count)
        if threshold > len(members):
            self._refuse(f"{threshold} of {len(members)} members can't be asked for.")
        self._groups.append(Group(name, threshold, tuple(members)))

    def _take_quorum(self, words: Sequence[str]) -> None:
        if len(words) != 1:
            self._refuse("a quorum line reads: quorum <name>.")
        if self._quorum:
            self._refuse("a policy has one quorum line, and this is another.")
        if words[0] != NO_QUORUM and words[0] not in self._named:
            self._refuse(f"the quorum names '{words[0]}', which no line before defines.")
        self._quorum = words[0]

    def _define(self, name: str) -> None:
        if name == NO_QUORUM or name in self._named:
            self._refuse(f"the name '{name}' is taken.")
        self._named[name] = False

    def _take_comment(self, line: str, words: Sequence[str]) -> None:
        if self._signatures is not None:
            self._room(len(self._signatures), SIGNATURES_MAX, "signatures")
            try:
                self._signatures.append(parse_signature_line(line.removeprefix("# ")))
            except NoteInvalid as error:
                self._refuse(error.message)
            return
        match words[1:]:
            case ["kulla-policy", "v1"] if self._line == 1:
                pass
            case [("tower" | "version" | "custodians" | "relying-party") as name, value]:
                if name in self._values:
                    self._refuse(f"a second line '# {name}'.")
                self._values[name] = value
                if name in ("version", "custodians"):
                    self._number(value)
            case ["custodian", name, text]:
                self._room(len(self._custodians), CUSTODIANS_MAX, "custodians")
                self._new_name(name, [who.name for who in self._custodians])
                key = self._key(text, "custodian", (KIND_ED25519,))
                self._custodians.append(Custodian(name, key))
            case ["reader", name, text]:
                self._room(len(self._readers), READERS_MAX, "readers")
                self._new_name(name, [who.name for who in self._readers])
                self._readers.append(Reader(name, self._key(text, "reader", (KIND_ED25519,))))
            case ["statement-key", name, text]:
                self._take_statement_key(name, text)
            case ["signed"]:
                self._signatures = []
            case _:
                self._refuse("a tower's policy has no such statement, and no free comments.")

    def _new_name(self, name: str, taken: Sequence[str]) -> None:
        if name in taken:
            self._refuse(f"the name '{name}' is taken.")

    def _take_statement_key(self, name: str, text: str) -> None:
        if not self._embassies or self._embassies[-1].name != name:
            self._refuse("a statement key stands right below the witness line of its embassy.")
        if self._embassies[-1].statement_key:
            self._refuse(f"'{name}' has a statement key already.")
        last = self._embassies[-1]
        key = self._key(text, "statement", (KIND_ED25519,))
        self._embassies[-1] = Embassy(last.name, last.key, last.url, key)
