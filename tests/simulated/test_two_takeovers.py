"""Two takeovers at once: the embassies' seals decide which one wins, and the other does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.home import HomeInProcess
from fakes.signers import NOON_MS
from kulla.embassy.client import EmbassyClient
from kulla.journal.epochs import parse_succession, sign_succession
from kulla.journal.policy_file import PolicyFile
from kulla.rebuild.takeover import (
    AnotherTakeover,
    TakeoverFailed,
    check_still_next,
    hand_over_policy,
    next_policy,
    seal,
    sealed_for,
    statement_of,
)

ALL = ("embassy-1", "embassy-2", "embassy-3", "embassy-4")


class Site:
    """One of those who take over, with what custodians signed for it."""

    def __init__(
        self, home: HomeInProcess, name: str, instead: tuple[bytes, ...] = (), now: object = None
    ) -> None:
        self.home = home
        self.now = now if isinstance(now, PolicyFile) else home.tower.policy
        self.keys = list(home.tower.custodian_keys.values())[:2]
        key = home.tower.key(f"kulla.example/epoch-{len(self.now.logs) + 1}-{name}").verifier
        url = f"https://{name}.example"
        self.statement = statement_of(self.now, key, url, f"{name} says so", NOON_MS, instead)
        self.note = sign_succession(self.statement, self.keys)
        self.following = next_policy(self.now, key, url, self.keys)

    def clients(self, *names: str) -> dict[str, EmbassyClient]:
        return {name: self.home.embassies[name].client() for name in names or ALL}

    def seal(self, *names: str) -> list[str]:
        return list(seal(self.clients(*names), self.note, self.statement, self.now))

    def run(self, *names: str) -> list[str]:
        clients = self.clients(*names)
        offered = [client.policy() for client in clients.values()]
        check_still_next(self.following, self.now, offered)
        sealed = seal(clients, self.note, self.statement, self.now)
        return hand_over_policy(clients, self.following, sealed)


@pytest.fixture
def home(tmp_path: Path) -> HomeInProcess:
    home = HomeInProcess(tmp_path)
    home.take(home.command(), tokens="a")
    home.deliver()
    return home


def versions(home: HomeInProcess) -> list[int]:
    return [embassy.mirror.policy.version for embassy in home.embassies.values()]


def test_the_first_wins_and_the_second_is_told_of_it(home: HomeInProcess) -> None:
    first, second = Site(home, "vlora"), Site(home, "korca")
    assert len(first.seal()) == 4
    with pytest.raises(AnotherTakeover) as caught:
        second.run()
    told = str(caught.value)
    assert "'vlora says so'" in told
    assert "https://vlora.example" in told
    assert "it has changed nothing" in told
    assert versions(home) == [1, 1, 1, 1]
    assert first.run() == list(ALL)
    with pytest.raises(AnotherTakeover, match="another takeover came first"):
        second.run()
    assert {e.mirror.policy for e in home.embassies.values()} == {first.following}


def test_one_that_can_win_no_more_leaves_the_rest_unsealed_for_the_other(
    home: HomeInProcess,
) -> None:
    first, second = Site(home, "vlora"), Site(home, "korca")
    first.seal("embassy-1", "embassy-2")
    for _ in range(2):
        with pytest.raises(AnotherTakeover, match="For this one sealed no embassy"):
            second.run()
    assert set(sealed_for(first.clients(), first.now)) == {"embassy-1", "embassy-2"}
    assert first.run() == list(ALL)


def test_one_seal_of_a_site_that_is_lost_does_not_stop_the_next(home: HomeInProcess) -> None:
    lost, second = Site(home, "vlora"), Site(home, "korca")
    with pytest.raises(TakeoverFailed, match="1 embassies sealed"):
        lost.seal("embassy-2")
    assert second.run() == list(ALL)
    assert {e.mirror.policy for e in home.embassies.values()} == {second.following}


def test_where_they_share_the_embassies_neither_hands_over_a_policy(home: HomeInProcess) -> None:
    first, second = Site(home, "vlora"), Site(home, "korca")
    first.seal("embassy-1", "embassy-2")
    second.seal("embassy-3", "embassy-4")
    for site in (first, second):
        with pytest.raises(AnotherTakeover, match="Call the others"):
            site.run()
    for site, names in ((first, ALL[:2]), (second, ALL[2:])):
        with pytest.raises(TakeoverFailed, match="3 must before the policy is handed over"):
            site.run(*names)
    assert versions(home) == [1, 1, 1, 1]
    home.take(home.command(), tokens="z")
    home.deliver()
    assert "z" not in home.answers, "the old home confirms nothing any more"


def test_custodians_decide_and_a_third_takes_the_place_of_both(home: HomeInProcess) -> None:
    first, second = Site(home, "vlora"), Site(home, "korca")
    first.seal("embassy-1", "embassy-2")
    second.seal("embassy-3", "embassy-4")
    begun = sealed_for(first.clients(), first.now)
    assert {what.reason for what in begun.values()} == {"vlora says so", "korca says so"}
    third = Site(home, "berat", tuple({what.digest() for what in begun.values()}))
    assert third.run() == list(ALL)
    for site in (first, second):
        with pytest.raises(TakeoverFailed):
            site.run()
    assert {e.mirror.policy for e in home.embassies.values()} == {third.following}


def test_one_that_died_half_way_is_gone_on_with_and_not_forked(home: HomeInProcess) -> None:
    """Its policy reached one embassy: the next stands on that, and all come together again."""
    first = Site(home, "vlora")
    sealed = seal(first.clients(), first.note, first.statement, first.now)
    with pytest.raises(TakeoverFailed):
        hand_over_policy(first.clients("embassy-1"), first.following, sealed)
    assert versions(home) == [2, 1, 1, 1]
    second = Site(home, "korca", now=first.following)
    for name in ALL[1:]:
        home.embassies[name].client().set_policy(first.following.render())
    assert second.run() == list(ALL)
    assert versions(home) == [3, 3, 3, 3]


def test_a_change_of_the_policy_that_came_first_is_told_to_the_takeover(
    home: HomeInProcess,
) -> None:
    from dataclasses import replace

    site = Site(home, "vlora")
    change = replace(home.tower.unsigned_policy, version=2, readers=())
    changed = home.tower.signed(change, ("arta", "besa"))
    home.embassies["embassy-2"].client().set_policy(changed.render())
    with pytest.raises(AnotherTakeover, match="custodians changed it meanwhile"):
        site.run()
    liar = home.tower.signed(replace(change, custodian_threshold=1), ("arta",))
    check_still_next(site.following, site.now, [liar.render(), b"junk"])


def test_an_embassy_s_word_about_another_takeover_needs_the_custodians_signatures(
    home: HomeInProcess,
) -> None:
    site = Site(home, "vlora")
    stranger = Site(home, "korca")
    alone = sign_succession(parse_succession(stranger.note), site.keys[:1])
    alone = alone.replace(b"korca says so", b"korca says no")
    log = home.embassies["embassy-1"].mirror.log(home.tower.origin)
    assert log is not None
    log.seal(alone)
    assert sealed_for(site.clients("embassy-1"), site.now) == {}
    assert site.seal(*ALL[1:]) == list(ALL[1:])
