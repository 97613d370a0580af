"""Sends the letters that follow from acts, and has it recorded that they went.

Order: only what lies below the watermark is told; the letter goes; then the act `sent` is written.
A process that dies between the last two sends that letter again, with the same Message-ID, by which
mailboxes and people know a repeat. While no quorum answers nothing is sent: a home that was cut off
can't record anything, and the one that took over sends instead.

A letter may wait for hours: before each attempt it is read anew what it says and who gets it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Final

import structlog
from django.utils import translation

from kulla.kernel.canonical import Value
from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.errors import KullaError
from kulla.kernel.letters import Carrier, CarrierDown, Never, NotNow, Outgoing
from kulla.kernel.service import POST, Command
from kulla.kernel.tower import Answer, TowerEdge
from kulla.services.messages import acts
from kulla.tower.post.pauses import pause_s
from kulla.tower.post.registers import PostRegisters
from kulla.tower.post.sources import NO_LONGER, Intent, LetterSource, Recipient, Texts

LONGEST_PAUSE_S: Final = 900.0
WAITING_MAX: Final = 2000
A_TURN: Final = 50
NOTE_EVERY_S: Final = 600.0
RECORD_WAIT_S: Final = 15.0
WITNESS_WAIT_S: Final = 1.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Waiting:
    """A letter to one person: what it follows from, how often it was tried, when again.

    `channel` is set once it went, `why` once it is sure that it never will: then it has only to be
    recorded, and is not tried again.
    """

    source: LetterSource
    intent: Intent
    recipient: Recipient
    tries: int = 0
    due_s: float = 0.0
    channel: str = ""
    why: str = ""
    recording: Future[Answer] | None = None


class MessagePost:
    """The post of acts' letters. One thread, and one such post a home.

    `sources` say which letters there are, each for its service. `site` is the portal's address
    (https://sherbime.example.al), which links begin with.
    """

    def __init__(
        self,
        registers: PostRegisters,
        sources: Sequence[LetterSource],
        tower: TowerEdge,
        carriers: Mapping[str, Carrier],
        site: str,
        clock: Clock,
        entropy: Entropy,
        *,
        after_carry: Callable[[], None] = lambda: None,
    ) -> None:
        self._registers = registers
        self._sources = tuple(sources)
        self._tower = tower
        self._carriers = carriers
        self._site = site.rstrip("/")
        self._clock = clock
        self._entropy = entropy
        self._after_carry = after_carry
        self._waiting: dict[str, _Waiting] = {}
        self._noted = registers.looked_up_to()
        self._noted_s = clock.monotonic_s()
        self._carrier_due_s: dict[str, float] = {}
        self._carrier_failures: dict[str, int] = {}
        self._recorders = ThreadPoolExecutor(16, thread_name_prefix="post-record")
        self.trouble = ""

    def close(self) -> None:
        """Wait for records that are on their way; let go of file and carriers."""
        self._recorders.shutdown(wait=True)
        self._registers.close()
        for carrier in self._carriers.values():
            carrier.close()

    def waiting(self) -> int:
        """How many letters wait to go or to be recorded."""
        return len(self._waiting)

    def turn(self) -> int:
        """Look for letters that are due and try some; returns how many went.

        Where nothing carries letters, nothing is looked at nor noted: once mail is set up, what is
        still worth sending goes.
        """
        witnessing = self._tower.witnessing()
        if not (witnessing.quorum and self._carriers):
            return 0
        self._look(witnessing.watermark)
        gone = self._carry_some()
        self._record()
        if not gone:
            for carrier in self._carriers.values():
                carrier.close()
        self._note(witnessing.watermark)
        return gone

    def _look(self, below: int) -> None:
        """Take up letters of each source that has not too many waiting already."""
        waiting = Counter(id(letter.source) for letter in self._waiting.values())
        for source in self._sources:
            if waiting[id(source)] < WAITING_MAX:
                now_ms, now_s = self._clock.now_ms(), self._clock.monotonic_s()
                for intent in source.look(now_ms, now_s, below):
                    self._take_up(source, intent, now_ms, below)

    def _take_up(self, source: LetterSource, intent: Intent, now_ms: int, below: int) -> None:
        """Keep the letter for everybody who is to have it and does not yet."""
        now = source.again(intent, below)
        if now is not None and now.until_ms <= now_ms:
            return
        # What rests on an act that is not witnessed yet waits for it: `_still_due` asks again.
        for recipient in self._recipients(source, intent, now_ms, below):
            message = intent.message(recipient.subject)
            if message not in self._waiting and not self._registers.recorded(message):
                self._waiting[message] = _Waiting(source, now or intent, recipient)

    def _recipients(
        self, source: LetterSource, intent: Intent, now_ms: int, below: int
    ) -> Iterator[Recipient]:
        """Who is to have the letter and can be reached."""
        for recipient in source.recipients(intent, now_ms, below):
            wanted = recipient.reminders or not intent.reminder
            if wanted and any(kind in self._carriers for kind, _ in recipient.addresses):
                yield recipient

    def _carry_some(self) -> int:
        """Try at most A_TURN letters that are due: of each source one in turn, longest due first.

        So half a million results that came out today keep nobody from being told of a booking.
        """
        now_s = self._clock.monotonic_s()
        due: dict[int, list[tuple[float, str]]] = {}
        for message, letter in self._waiting.items():
            if not letter.channel and not letter.why and letter.due_s <= now_s:
                due.setdefault(id(letter.source), []).append((letter.due_s, message))
        in_turn = chain.from_iterable(zip_longest(*(sorted(each) for each in due.values())))
        gone = 0
        for _, message in islice((one for one in in_turn if one is not None), A_TURN):
            gone += self._carry(message, self._waiting[message])
        return gone

    def _carry(self, message: str, letter: _Waiting) -> bool:
        """Try one letter at the person's addresses, in turn where one refuses it for good."""
        texts = self._texts(message, letter) if self._still_due(message, letter) else None
        if texts is None:
            return False
        codes = []
        for channel, sealed in letter.recipient.addresses:
            carrier = self._carriers.get(channel)
            if carrier is None:
                continue
            if self._carrier_due_s.get(channel, 0.0) > self._clock.monotonic_s():
                letter.due_s = self._carrier_due_s[channel]
                return False
            try:
                carrier.carry(self._addressed(message, letter, channel, sealed, texts))
            except Never as error:
                codes.append(error.code)
                continue
            except KullaError as error:
                self._put_off(letter, channel, error)
                return False
            self._after_carry()
            self._carrier_failures.pop(channel, None)
            self.trouble, letter.channel = "", channel
            return True
        letter.why = codes[0]
        return False

    def _still_due(self, message: str, letter: _Waiting) -> bool:
        """Read anew what the letter follows from and who gets it; False: it does not go now.

        What is no longer so, or no longer for this person, is dropped and not recorded, like what
        was never due. (Were the act that ended it to vanish with home, no later note of how far the
        post has looked would be witnessed either: a new home looks here again.)
        """
        witnessing, now_ms = self._tower.witnessing(), self._clock.now_ms()
        if not witnessing.quorum:
            return False
        below = witnessing.watermark
        intent = letter.source.again(letter.intent, below)
        if intent is None:
            letter.due_s = self._clock.monotonic_s() + WITNESS_WAIT_S
            return False
        subject = letter.recipient.subject
        over = intent.until_ms == NO_LONGER
        people = () if over else self._recipients(letter.source, intent, now_ms, below)
        recipient = next((person for person in people if person.subject == subject), None)
        if recipient is None:
            del self._waiting[message]
            log.info("letter dropped", kind=intent.kind, tries=letter.tries)
            return False
        letter.intent, letter.recipient = intent, recipient
        if intent.until_ms <= now_ms:
            letter.why = "given-up"
        return not letter.why

    def _put_off(self, letter: _Waiting, channel: str, error: KullaError) -> None:
        now_s = self._clock.monotonic_s()
        if isinstance(error, CarrierDown):
            failures = self._carrier_failures.get(channel, 0) + 1
            self._carrier_failures[channel] = failures
            self._carrier_due_s[channel] = now_s + pause_s(failures, 120.0, self._entropy)
            letter.due_s = self._carrier_due_s[channel]
            self.trouble = error.code
            log.warning("letters can't go", channel=channel, error=str(error))
            return
        letter.tries += 1
        letter.due_s = now_s + pause_s(letter.tries, LONGEST_PAUSE_S, self._entropy)
        code = error.code if isinstance(error, NotNow) else type(error).__name__
        log.info("letter put off", kind=letter.intent.kind, why=code, tries=letter.tries)

    def _texts(self, message: str, letter: _Waiting) -> Texts | None:
        """The letter's words in the person's language; None where they can't be made."""
        try:
            with translation.override(letter.recipient.language):
                return letter.source.texts(letter.intent, letter.recipient, self._site)
        except Exception as error:
            # Whatever is wrong with this one, say a time zone that nobody knows, will be wrong
            # after every restart: it must not keep all others from going.
            letter.why = "unfit"
            log.critical(
                "a letter can't be composed and will not go",
                message=message,
                kind=letter.intent.kind,
                about=letter.intent.about,
                error=type(error).__name__,
            )
            return None

    def _addressed(
        self, message: str, letter: _Waiting, channel: str, sealed: bytes, texts: Texts
    ) -> Outgoing:
        """The letter with its address, which the keeper opens for it alone."""
        recipient, reason = letter.recipient, f"letter: {letter.intent.kind}"
        address = self._tower.open(recipient.subject, {channel: sealed}, reason)[channel]
        text = (texts.subject, texts.body) if channel == "mail" else ("", texts.short)
        return Outgoing(message, address, *text, recipient.language, self._clock.now_ms())

    def _record(self) -> None:
        """Have it recorded what went and what never will; look at what was answered."""
        for message, letter in list(self._waiting.items()):
            if letter.recording is not None and letter.recording.done():
                recording, letter.recording = letter.recording, None
                if recording.exception() is None and _settled(recording.result()):
                    del self._waiting[message]
                    continue
                letter.due_s = self._clock.monotonic_s() + 1.0
            ready = letter.recording is None and (letter.channel or letter.why)
            if ready and letter.due_s <= self._clock.monotonic_s():
                command = _record_command(message, letter)
                letter.recording = self._recorders.submit(
                    self._tower.submit, command, RECORD_WAIT_S
                )

    def _note(self, watermark: int) -> None:
        """Now and then, have it noted how far the post has looked: a new home goes on from there.

        Nothing is noted where nothing but such notes was written since.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._noted_s < NOTE_EVERY_S:
            return
        self._noted_s = now_s
        open_now = [w.intent.position for w in self._waiting.values() if w.intent.position >= 0]
        up_to = min([watermark, *(source.looked() for source in self._sources), *open_now])
        if up_to - self._noted < 2:
            return
        name = hashlib.sha256(f"looked {up_to}".encode()).digest()[:16]
        command = Command(acts.SERVICE_NAME, "note_looked", name, POST, {"up_to": up_to})
        answer = self._tower.submit(command, RECORD_WAIT_S)
        if answer.status in ("accepted", "refused"):
            self._noted = up_to


def _settled(answer: Answer) -> bool:
    return answer.status == "accepted" or (
        answer.status == "refused" and answer.code == "already-recorded"
    )


def _record_command(message: str, letter: _Waiting) -> Command:
    """The command that records a letter: the same bytes at every attempt."""
    data: dict[str, Value] = {
        "message": message,
        "subject": letter.recipient.subject,
        "kind": letter.intent.kind,
        "about": letter.intent.about,
        "channel": letter.channel or letter.recipient.addresses[0][0],
    }
    name = "record_sent"
    if letter.why:
        name, data["why"] = "record_failed", letter.why
    return Command(acts.SERVICE_NAME, name, bytes.fromhex(message), POST, data)
