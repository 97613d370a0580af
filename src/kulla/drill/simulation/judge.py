"""What must hold after every step, seen from outside: by what was answered and what was signed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from kulla.drill.simulation import country
from kulla.drill.simulation.citizens import appointment_of
from kulla.drill.simulation.embassies import EmbassyNode
from kulla.embassy.mirrored_log import MirroredLog
from kulla.journal.errors import JournalError
from kulla.journal.merkle import root_of
from kulla.journal.tiles import WIDTH
from kulla.journal.tree import Tree
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer
from kulla.rebuild.chain import EpochPlan
from kulla.registers.own import applied
from kulla.registers.sqlite import LiveRows, dump

if TYPE_CHECKING:
    from kulla.drill.simulation.disks import HomeFolder
    from kulla.drill.simulation.home import Ask, HomeProcess
    from kulla.drill.simulation.standby import Standby
    from kulla.drill.simulation.world import World

_ADOPTED_BY = len(country.EMBASSIES) - country.QUORUM + 1
_RESTS_ON_NOTHING = ("malformed", "unknown-blob", "unknown-command")


class Violation(BaseException):
    """Something that must hold does not; `kind` is one word for it.

    Nothing that is simulated may catch it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class Judge:
    """Remembers what was promised, and raises Violation.

    above-watermark  an answer rests on an act that no quorum holds
    lost             an acknowledged act is not where it was after a takeover, or at the end
    told-otherwise   a repeated command got another answer than before
    two-histories    an embassy's mirror key signed two histories
    forgotten        an embassy lacks after a restart what it answered for
    unsealed         an embassy took more of a log that it had sealed
    two-homes        two logs of one epoch were acknowledged
    followed         a standby replayed what no quorum signed
    keyless          a new home lacks a wrapped key that an acknowledged act named
    not-home         a home serves though it could know that it is not home
    booked-twice     two people were told that they have the same slot
    replay           registers are not what a replay of the journal gives
    broken           a process can't go on from what it promised itself
    stuck            with all faults over, the country does not go on
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._signed: dict[tuple[str, bytes], list[bytes]] = {}
        self._roots: dict[tuple[str, bytes, int], bytes] = {}
        self._last: dict[tuple[str, bytes], object] = {}
        self._sealed: dict[tuple[str, bytes], int] = {}
        self._safe: dict[tuple[bytes, int], bytes] = {}
        self._ended: set[bytes] = set()
        self._confirmed: dict[str, bytes] = {}
        self._followed: dict[tuple[str, bytes], int] = {}
        self.acknowledged: dict[bytes, tuple[int, bytes]] = {}
        self.adopted: dict[bytes, tuple[int, list[bytes]]] = {}
        self.accepted: dict[bytes, tuple[int, ...]] = {}
        self._told_of_slot: dict[str, dict[int, str]] = {}
        self.refused = 0

    def take_up(self, past: Judge) -> None:
        """What was promised in the past counts."""
        self._signed = {who: list(leaves) for who, leaves in past._signed.items()}
        self._roots, self._safe = dict(past._roots), dict(past._safe)
        self._confirmed, self.acknowledged = dict(past._confirmed), dict(past.acknowledged)
        self.accepted = dict(past.accepted)
        self._told_of_slot = {slot: dict(told) for slot, told in past._told_of_slot.items()}

    def fail(self, kind: str, message: str) -> None:
        """Raise a Violation."""
        raise Violation(kind, message)

    # what embassies sign

    def embassy_answered(self, node: EmbassyNode, path: str) -> None:
        """An embassy's process goes on after a request that may have changed something."""
        if path not in ("/add-entries", "/seal", "/policy") or not node.honest:
            return
        self._look_at(node)

    def embassy_started(self, node: EmbassyNode) -> None:
        """An embassy came back from its disk: all that it signed and answered for must be there."""
        if node.honest:
            self._look_at(node, back=True)

    def _look_at(self, node: EmbassyNode, *, back: bool = False) -> None:
        mirror = node.mirror
        if mirror is None:
            return
        for known in mirror.policy.logs:
            log = mirror.log(known.key.name)
            if log is not None:
                self._look_at_log(node, log, back=back)

    def _look_at_log(self, node: EmbassyNode, log: MirroredLog, *, back: bool) -> None:
        who = (node.name, log.key.public)
        signed = self._signed.get(who, [])
        size = log.mirrored_size
        if back and (size < len(signed) or (who in self._sealed and log.sealed is None)):
            self.fail("forgotten", f"{node.name} had signed {len(signed)}, came back with {size}")
        mirrored = log.mirrored
        if mirrored is not None and self._last.get(who) is not mirrored:
            self._last[who] = mirrored
            self._world.note(node.name, "signs", str(size))
            self._note_signed(who, log, size, mirrored.checkpoint.root)
        if log.sealed is not None and self._sealed.setdefault(who, size) != size:
            self.fail("unsealed", f"{node.name} had sealed {self._sealed[who]}, signed {size}")

    def _note_signed(
        self, who: tuple[str, bytes], log: MirroredLog, size: int, root: bytes
    ) -> None:
        known = self._signed.setdefault(who, [])
        both = min(size, len(known))
        if log.tree.root_at(both) != self._signed_root(who, both):
            self.fail(
                "two-histories", f"{who[0]} signed another history of {log.origin} below {both}"
            )
        if len(known) < WIDTH <= size:
            self._world.met("an embassy passes 256 entries")
        known += [log.tree.leaf_hash(index) for index in range(len(known), size)]
        if self._signed_root(who, size) != root:
            self.fail("two-histories", f"{who[0]} signed a root at {size} that it does not hold")

    def _signed_root(self, who: tuple[str, bytes], size: int) -> bytes:
        key = (*who, size)
        if key not in self._roots:
            self._roots[key] = root_of(self._signed[who][:size])
        return self._roots[key]

    # who is home

    def ended(self, log: bytes) -> None:
        """A quorum was handed a policy in which another log follows the one of this public key."""
        self._ended.add(log)

    def has_ended(self, log: bytes) -> bool:
        """Whether it was: whoever has that log's key may not be home any more."""
        return log in self._ended

    def known_of(self, home: HomeProcess) -> tuple[int, bool]:
        """What a home that asks now could know: acknowledged entries of its log, and its end."""
        log = home.log_ids[home.origin]
        return self.acknowledged.get(log, (0, b""))[0], log in self._ended

    def serves(self, home: HomeProcess, known: tuple[int, bool]) -> None:
        """A home begins to serve; `known` is what it could know when it began to ask.

        Where all embassies are honest, the n-k+1 that answered can't all have missed it.
        """
        size, ended = known
        if not all(node.honest for node in self._world.embassies.values()):
            return
        if ended or size > home.journal.size:
            what = "another one followed" if ended else f"{size} were acknowledged"
            self.fail("not-home", f"{home.name} serves from {home.journal.size}; {what}")

    # what citizens are told

    def told(self, home: HomeProcess, ask: Ask, answer: Answer) -> None:
        """A home answers; this is the moment at which all that it rests on must be safe."""
        command = ask.command
        if answer.status == "accepted":
            self._must_be_safe(home, answer.positions[-1] + 1, command)
            if command.key() in self.accepted:
                self._world.met("a repeat gets the same answer")
                if answer.positions[-1] < home.base:
                    self._world.met("a repeat gets the same answer from the next home")
            before = self.accepted.setdefault(command.key(), answer.positions)
            if before != answer.positions:
                what = f"{command.name} stood at {before}, now at {answer.positions}"
                self.fail("told-otherwise", what)
            current = answer.positions[-1] >= home.base
            self._check_blobs(command, country.QUORUM if current else _ADOPTED_BY)
            self._note_slot(command, answer.positions[-1])
        elif answer.status == "refused":
            self.refused += 1
            accepted = self.accepted.get(command.key())
            # What was decided before it was accepted, by an old home perhaps, may come late.
            if accepted is not None and ask.end_before > accepted[0]:
                self.fail("told-otherwise", f"{command.name} was accepted, now {answer.code}")
            if answer.code not in _RESTS_ON_NOTHING:
                self._must_be_safe(home, ask.end_before, command)
        elif answer.code == "no-quorum":
            self._world.met("an answer says that there is no quorum")
        elif answer.code == "no-room":
            self._world.met("an answer says that there is no room")
        elif answer.code == "set-aside":
            self.fail("broken", f"{home.name} set a service aside: {dict(home.scribe.set_aside)}")

    def _must_be_safe(self, home: HomeProcess, end: int, command: Command) -> None:
        if end == 0:
            return
        at = max(at for at, (_, base) in enumerate(home.epochs) if base < end)
        origin, base = home.epochs[at]
        size = end - base
        log = home.log_ids[origin]
        root = self._root_at(home, origin, size)
        if self._safe.get((log, size)) != root and not self._is_held(log, size, root):
            # What an epoch adopted is safe once a quorum holds the act that says so.
            openings = [later for later, _ in home.epochs[at + 1 :]]
            if not any(
                self._size_at(home, later)
                and self._is_held(home.log_ids[later], 1, self._root_at(home, later, 1))
                for later in openings
            ):
                what = f"{home.name} answered {command.name}, resting on all below {end}"
                self.fail("above-watermark", what)
        self._safe[log, size] = root
        if self._confirmed.setdefault(origin, log) != log:
            self.fail("two-homes", f"{home.name} acknowledges another log as {origin}")
        if size > self.acknowledged.get(log, (0, b""))[0]:
            self.acknowledged[log] = size, root
        adopted = self.adopted.get(log)
        if adopted is not None and origin == home.origin and size > adopted[0]:
            what = f"{home.name} acknowledged {size} of {origin}, of which {adopted[0]} are adopted"
            self.fail("lost", what)

    def _root_at(self, home: HomeProcess, origin: str, size: int) -> bytes:
        if origin == home.origin:
            return home.journal.root_at(size)
        return root_of(self.adopted[home.log_ids[origin]][1][:size])

    def _size_at(self, home: HomeProcess, origin: str) -> int:
        if origin == home.origin:
            return home.journal.size
        return self.adopted[home.log_ids[origin]][0]

    def _is_held(self, log: bytes, size: int, root: bytes) -> bool:
        """Whether a quorum of embassies signed a history that has this root at this size."""
        held = 0
        for name, node in self._world.embassies.items():
            who = (name, log)
            if not node.honest:
                held += 1
            elif len(self._signed.get(who, ())) >= size:
                held += self._signed_root(who, size) == root
        return held >= country.QUORUM

    def _check_blobs(self, command: Command, need: int) -> None:
        nodes = self._world.embassies.values()
        for name in command.names:
            if sum(not node.blobs.missing([name]) or not node.honest for node in nodes) < need:
                self.fail("above-watermark", f"{command.name} names a blob that too few hold")

    def _note_slot(self, command: Command, position: int) -> None:
        """Of all who were told that they have a slot, only the last may not wish it away."""
        if command.name != "book":
            return
        slot = str(command.data["slot"])
        told = self._told_of_slot.setdefault(slot, {})
        if position in told:
            return
        told[position] = appointment_of(command)
        *earlier, _ = [told[at] for at in sorted(told)]
        if earlier:
            self._world.met("a time is given again")
        if earlier and not self._wished_away().issuperset(earlier):
            self.fail("booked-twice", f"{slot} was promised to two")

    def _wished_away(self) -> set[str]:
        """Appointments that somebody asked to cancel or to move, whatever they were told."""
        return {
            str(wish.command.data["appointment"])
            for wish in self._world.citizens.wishes
            if wish.command.name in ("cancel", "reschedule")
        }

    # standbys

    def followed(self, standby: Standby, rows: LiveRows) -> None:
        """A standby did a step: all that it replayed is what a quorum signed, or was adopted."""
        position = applied(rows)
        epochs = [(str(row["origin"]), cast(int, row["base"])) for row in rows.find("kulla_epoch")]
        assert standby.folder.followed is not None
        log_ids = {known.key.name: known.key.public for known in standby.folder.followed.logs}
        ends = [base for _, base in epochs[1:]] + [position]
        for (origin, base), end in zip(epochs, ends, strict=True):
            size, log = end - base, log_ids[origin]
            if not size or self._followed.get((standby.name, log)) == size:
                continue
            root = Tree.load(standby.folder.store(origin), size).root()
            adopted, leaves = self.adopted.get(log, (0, []))
            good = self._is_held(log, size, root)
            if not good and not (size <= adopted and root == root_of(leaves[:size])):
                what = f"{standby.name} replayed {size} of {origin}, which no quorum signed"
                self.fail("followed", what)
            self._followed[standby.name, log] = size

    def disowned(self, standby: Standby, why: str) -> None:
        """A standby says that what it replayed does not count: the rules don't allow that."""
        self._world.met("a standby begins anew")
        self._followed = {
            who: size for who, size in self._followed.items() if who[0] != standby.name
        }
        self.fail("followed", f"{standby.name} had replayed what does not count: {why}")

    # takeovers and the end

    def took_over(
        self, folder: HomeFolder, plans: Sequence[EpochPlan], connection: sqlite3.Connection
    ) -> None:
        """A new home rebuilt these epochs into `folder`, whose registers `connection` shows."""
        assert folder.policy is not None
        if self.has_ended(folder.policy.current_log.key.public):
            return  # another site followed this one before it was ready: it will learn so
        log_ids = {known.key.name: known.key.public for known in folder.policy.logs}
        for plan in plans:
            store = folder.store(plan.origin)
            tree = Tree.load(store, plan.size)
            log = log_ids[plan.origin]
            if plan.size >= WIDTH:
                self._world.met("a takeover adopts a full tile")
            size, root = self.acknowledged.get(log, (0, b""))
            if size > plan.size:
                what = f"{size} of {plan.origin} were acknowledged, {plan.size} adopted"
                self.fail("lost", what)
            if size and tree.root_at(size) != root:
                self.fail("lost", f"another history of {plan.origin} was adopted")
            self.adopted[log] = (
                plan.size,
                [tree.leaf_hash(index) for index in range(plan.size)],
            )
        rows = LiveRows(connection, country.tables())
        end = plans[-1].base + plans[-1].size
        if applied(rows) != end:
            self.fail("replay", f"the registers stand at {applied(rows)}, {end} acts are adopted")
        planned = {log_ids[plan.origin] for plan in plans}
        for log, (size, _) in self.acknowledged.items():
            if log not in planned and size:
                self.fail("lost", f"{size} acknowledged of a log that nobody adopted")
        self.check_accepted(connection)
        for wish in self._world.citizens.wishes:
            if wish.command.key() in self.accepted and not folder.blobs.keys() >= set(
                wish.command.names
            ):
                self.fail("keyless", f"the key that {wish.command.name} named is not there")
        self._compare_with_old_homes(connection)

    def check_accepted(self, connection: Any) -> None:
        """Every command that was accepted is in these registers, at its positions."""
        rows = LiveRows(connection, country.tables())
        for key, positions in self.accepted.items():
            row = rows.get("kulla_command", key)
            if row is None or (row["position"], row["count"]) != (positions[0], len(positions)):
                self.fail("lost", f"a command that was accepted at {positions} is not there")

    def _compare_with_old_homes(self, connection: sqlite3.Connection) -> None:
        end = applied(LiveRows(connection, country.tables()))
        for home in self._world.homes:
            other = sqlite3.connect(":memory:", isolation_level=None)
            other.deserialize(home.folder.registers.image)
            epochs = other.execute("SELECT count(*) FROM kulla_epoch").fetchone()
            mine = connection.execute("SELECT count(*) FROM kulla_epoch").fetchone()
            if applied(LiveRows(other, country.tables())) == end and epochs == mine:
                same_history = home.folder.log_key and self._same_history(home.folder, end)
                if same_history:
                    self.check_equal(other, connection, f"those of {home.name}")
                    self._world.met("registers are compared with an old home's")
                    self._world.note("registers compared", home.name, f"{end} acts")
            other.close()

    def _same_history(self, folder: HomeFolder, end: int) -> bool:
        """Whether that home's journal is what was adopted: it may hold a tail of its own."""
        assert folder.log_key is not None
        log = folder.log_key.verifier.public
        if log not in self.adopted:
            return False
        size, leaves = self.adopted[log]
        try:
            tree = Tree.load(folder.store(folder.log_key.name), size)
        except JournalError:  # its disk lost tiles that it never promised, or they were damaged
            return False
        return bool(size) and tree.root() == root_of(leaves) and end >= size

    def check_equal(self, one: Any, other: Any, whose: str) -> None:
        """Both registers have the same rows in every table."""
        for table in country.tables():
            if dump(one, table) != dump(other, table):
                self.fail("replay", f"{table.name} of a replay differs from {whose}")

    def check_slots(self, connection: Any) -> None:
        """No slot has two appointments, and each points to the other."""
        rows = LiveRows(cast("sqlite3.Connection", connection), country.tables())
        taken: dict[Any, Any] = {}
        for row in rows.find("appointments_appointment", state="booked"):
            slot = rows.get("appointments_slot", row["slot"])
            if row["slot"] in taken or slot is None or slot["appointment"] != row["id"]:
                self.fail("booked-twice", f"{row['slot']!s} has two appointments")
            taken[row["slot"]] = row["id"]
