"""An embassy that is new, or missed takeovers, is filled with closed epochs from the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.home import HomeInProcess
from fakes.mirrors import MirrorInProcess
from fakes.signers import NOON_MS, MadeUpTower, SeededEntropy
from kulla.embassy.blobs import blob_name
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError, ForkRefused
from kulla.embassy.mirror import origin_hash
from kulla.journal.checkpoints import Checkpoint, sign_checkpoint, verified_cosigners
from kulla.journal.entries import Sealer
from kulla.journal.epochs import EpochOpened, epoch_opened_data, sign_succession
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import Embassy, PolicyFile
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.tree import Tree, verified_bundles
from kulla.kernel.service import NewAct
from kulla.rebuild.history import settle_log
from kulla.rebuild.sources import HttpSource, tiles_of
from kulla.rebuild.takeover import hand_over_policy, next_policy, seal, statement_of
from kulla.scribe.batch import BatchWriter
from kulla.scribe.courier import Delivery
from kulla.scribe.log import Log
from kulla.scribe.quorum import Quorum
from kulla.scribe.scribe import Scribe
from kulla.tower.filling import NothingVouches, bring_policies, fill_closed
from kulla.tower.policies.next_version import Change, propose

AWAY = "embassy-3"
OTHERS = ("embassy-1", "embassy-2", "embassy-4")


class Country:
    """A home whose embassy-3 is away while it is taken over, as often as the test wants."""

    def __init__(self, folder: Path, acts: int = 300) -> None:
        self.home = HomeInProcess(folder)
        self.policies = [self.home.tower.policy]
        self.logs = [self.home.tower.log_key]
        self.adopted: list[Checkpoint] = []
        self._act(20)
        self.home.embassies[AWAY].down = True
        self._act(acts)
        blob = b"a wrapped key"
        self.home.blobs[blob_name(blob)] = blob
        self.home.take(self.home.command("blob", blob=blob_name(blob)), tokens="b")
        self.home.deliver()

    def _act(self, count: int) -> None:
        home = self.home
        home.take(home.command(times=count), tokens=chr(0x100 + home._number))
        home.deliver()

    def clients(self, *names: str) -> dict[str, EmbassyClient]:
        return {name: self.home.embassies[name].client() for name in names or OTHERS}

    def sources(self, *names: str) -> list[HttpSource]:
        return [HttpSource(client) for client in self.clients(*names).values()]

    def take_over(self, acts: int = 5) -> None:
        """The next epoch begins at the embassies that are up, and has some acts."""
        home, now = self.home, self.policies[-1]
        custodians = list(home.tower.custodian_keys.values())[:2]
        key = home.tower.key(f"kulla.example/epoch-{len(now.logs) + 1}")
        statement = statement_of(now, key.verifier, "", "drill", NOON_MS)
        note = sign_succession(statement, custodians)
        following = next_policy(now, key.verifier, "", custodians)
        sealed = seal(self.clients(), note, statement, now)
        origin = now.current_log.key.name
        found = settle_log(self.sources(), now, origin, only=list(sealed)).checkpoint
        hand_over_policy(self.clients(), following, sealed)
        self.policies.append(following)
        self.logs.append(key)
        self.adopted.append(found)
        self._open(key, following, found, note)
        self._act(acts)

    def _open(self, key: SigningKey, policy: PolicyFile, old: Checkpoint, note: bytes) -> None:
        home = self.home
        journal = Log(key, SimulatedTileStore(len(self.logs)), 0)
        seals = Sealer(key.name, home.tower.journal_key, SeededEntropy(len(self.logs)))
        rows, base = home.writer._rows, home.writer.end
        home.connection.execute("DELETE FROM scribe_pending")
        home.writer = BatchWriter(
            home.connection, rows, home.services, seals, home.clock, base=base, size=0
        )
        keys = {known.name: known.key for known in policy.embassies}
        scribe: Scribe[str] = Scribe(
            home.writer, journal, Quorum(keys, policy.is_quorum), home.services, home, home.clock
        )
        home.scribe, home.journal, home.rounds = scribe, journal, []
        policies = [known.render() for known in self.policies]
        home.deliveries = {
            name: Delivery(embassy.client(), keys[name], journal, home, policies=policies)
            for name, embassy in home.embassies.items()
            if name in keys
        }
        opened = EpochOpened(old.origin, old.size, old.root, note)
        scribe.start(home.rounds.append, NewAct("epoch_opened", epoch_opened_data(opened)))
        home.deliver()


def entries_of(embassy: MirrorInProcess, held: Checkpoint) -> int:
    """How many entries it serves of this history, each verified."""
    tiles = tiles_of(HttpSource(embassy.client()), held.origin)
    return sum(len(some) for _, some in verified_bundles(tiles, held.size, held.root))


@pytest.fixture
def country(tmp_path: Path) -> Country:
    return Country(tmp_path)


def test_one_that_missed_two_takeovers_catches_up(country: Country) -> None:
    country.take_over()
    country.take_over()
    late = country.home.embassies[AWAY]
    late.down = False
    assert bring_policies(late.mirror, country.sources()) == 3
    first, second = fill_closed(late.mirror, country.sources())
    assert (first.before, first.size, first.blobs, first.blobs_missing) == (20, 321, 1, 0)
    assert (second.before, second.size) == (0, country.adopted[1].size)
    for _ in range(2):
        for held in country.adopted:
            assert entries_of(late, held) == held.size
        assert fill_closed(late.mirror, country.sources()) == [
            replace(first, before=321, blobs=0),
            replace(second, before=second.size),
        ]
        late.crash()
    country.home.take(country.home.command(), tokens="z")
    country.home.deliver()
    country.home.take(country.home.command(), tokens="y")
    country.home.deliver()
    newest = late.mirror.log(country.logs[-1].name)
    assert newest is not None
    assert newest.mirrored_size == country.home.journal.size, "home brings the newest epoch"


def test_a_home_with_all_versions_brings_them_one_by_one(country: Country) -> None:
    country.take_over()
    country.take_over()
    late = country.home.embassies[AWAY]
    late.down = False
    delivery = country.home.deliveries[AWAY]
    parcel = country.home.journal.join(())
    with pytest.raises(EmbassyError):
        delivery.bring(parcel)
    assert late.mirror.policy.version == 3
    assert delivery.bring(parcel).name.startswith(AWAY)


def test_it_signs_nothing_and_what_it_signed_stays(country: Country) -> None:
    country.take_over()
    late = country.home.embassies[AWAY]
    late.down = False
    bring_policies(late.mirror, country.sources())
    fill_closed(late.mirror, country.sources())
    name = origin_hash(country.logs[0].name)
    own = country.home.tower.mirror_keys[AWAY].verifier
    shown, filled = late.mirror.checkpoint(name).body, late.mirror.filled(name).body
    assert verified_cosigners(shown, [own])
    assert b"\n20\n" in shown
    assert not verified_cosigners(filled, [own])
    assert b"\n321\n" in filled


def newcomer(country: Country, folder: Path) -> MirrorInProcess:
    """A new embassy in the place of the one that is away, pinned to the policy that names it."""
    made = MadeUpTower(seed=77)
    name, mirror, statement = "embassy-1", made.mirror_keys, made.statement_keys
    new = Embassy("oslo", mirror[name].verifier, "https://oslo", statement[name].verifier)
    following = propose(country.policies[-1], Change(replaced={AWAY: new})).following
    signed = country.home.tower.signed(following, ("arta", "besa"))
    for embassy in OTHERS:
        country.home.embassies[embassy].client().set_policy(signed.render())
    country.policies.append(signed)
    (folder / "new").mkdir()
    return MirrorInProcess(made, name, folder / "new", country.home.clock, policy=signed.render())


def test_a_new_embassy_is_filled_and_then_fills_others(country: Country, tmp_path: Path) -> None:
    country.take_over()
    country.take_over()
    new = newcomer(country, tmp_path)
    filled = fill_closed(new.mirror, country.sources())
    assert [each.size for each in filled] == [held.size for held in country.adopted]
    new.crash()
    for held in country.adopted:
        assert entries_of(new, held) == held.size
    assert new.mirror.health()["logs"][0]["size"] == 0, "it never signed that log"
    # Two of those who cosigned are lost: what was filled carries the quorum's signatures on.
    late = country.home.embassies[AWAY]
    late.down = False
    for policy in country.policies[1:]:
        late.client().set_policy(policy.render())
    alone = [HttpSource(new.client())]
    filled = fill_closed(late.mirror, alone)
    assert [each.size for each in filled] == [held.size for held in country.adopted]


def test_without_a_quorum_or_enough_holders_nothing_is_taken(country: Country) -> None:
    """One embassy alone could show a history that a thief of home's key signed for it."""
    country.home.take(country.home.command(), tokens="x")
    country.home.deliver("embassy-1")
    country.take_over()
    late = country.home.embassies[AWAY]
    late.down = False
    bring_policies(late.mirror, country.sources())
    with pytest.raises(NothingVouches, match="322 entries"):
        fill_closed(late.mirror, country.sources("embassy-1"))
    log = late.mirror.log(country.logs[0].name)
    assert log is not None
    assert log.tree.size == 20
    two = fill_closed(late.mirror, country.sources("embassy-2", "embassy-4"))
    assert two[0].size == 321
    all_three = fill_closed(late.mirror, country.sources())
    assert all_three[0].size == 321, "the tail is with one alone"


def test_the_tail_that_a_takeover_adopted_is_filled_too(country: Country) -> None:
    """Two of four hold it, closed: as many as a takeover needs, and no quorum cosigned it."""
    country.home.take(country.home.command(), tokens="x")
    country.home.deliver("embassy-1", "embassy-2")
    country.take_over()
    assert country.adopted[0].size == 322
    for name in (AWAY, "embassy-4"):
        late = country.home.embassies[name]
        late.down = False
        bring_policies(late.mirror, country.sources())
        filled = fill_closed(late.mirror, country.sources("embassy-1", "embassy-2"))
        assert filled[0].size == 322
        assert entries_of(late, country.adopted[0]) == 322


def test_an_open_log_and_another_history_are_left_alone(country: Country) -> None:
    late = country.home.embassies[AWAY]
    late.down = False
    assert fill_closed(late.mirror, country.sources()) == []
    log = late.mirror.log(country.logs[0].name)
    assert log is not None
    forked = Tree(SimulatedTileStore(5))
    forked.grow([b"%d" % number for number in range(30)])
    note = sign_checkpoint(Checkpoint(log.origin, 30, forked.root()), country.logs[0])
    # The thief's entries: this embassy follows a history of its own from the first entry on.
    other = MirrorInProcess(country.home.tower, AWAY, _folder(country, "forked"), late.clock)
    delivery = Delivery(
        other.client(),
        country.home.tower.mirror_keys[AWAY].verifier,
        _ForkedLog(forked),
        country.home,
    )  # type: ignore[arg-type]
    from kulla.scribe.log import Round

    delivery.bring(Round(30, note, ()))
    country.take_over()
    bring_policies(other.mirror, country.sources())
    with pytest.raises((NothingVouches, ForkRefused)):
        fill_closed(other.mirror, country.sources())
    held = other.mirror.log(country.logs[0].name)
    assert held is not None
    assert (held.tree.size, held.tree.root()) == (30, forked.root())


class _ForkedLog:
    """What a courier needs of a thief's log."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def __getattr__(self, name: str) -> object:
        return getattr(self._tree, name)


def _folder(country: Country, name: str) -> Path:
    path = country.home.folder / name
    path.mkdir()
    return path


def test_a_death_at_any_write_leaves_it_to_be_gone_on_with(country: Country) -> None:
    from kulla.journal.errors import StoreFailed
    from kulla.journal.simulated import WriteFault

    country.take_over()
    late = country.home.embassies[AWAY]
    late.down = False
    bring_policies(late.mirror, country.sources())
    store = late.store(origin_hash(country.logs[0].name))
    for after in range(3):
        for fault in WriteFault:
            store.fail_next(fault, after)
            try:
                fill_closed(late.mirror, country.sources())
            except StoreFailed:
                late.crash()
    assert fill_closed(late.mirror, country.sources())[0].size == 321
    assert entries_of(late, country.adopted[0]) == 321
