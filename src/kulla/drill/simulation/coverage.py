"""What the simulator is for: every fault and situation that its seeds must really come into.

A simulator that never meets something is blind to it. So each is counted where it happens, a report
says how often, and a test asserts that 500 seeds reach every one of them.
"""

from __future__ import annotations

import re
from typing import Final

from kulla.kernel.errors import KullaError

SITUATIONS: Final[tuple[str, ...]] = (
    # disks
    "home: a commit is lost",
    "home: a commit is kept though it failed",
    "home: its disk is full",
    "home: a write of tiles is lost",
    "home: a write of tiles is kept though it failed",
    "home: a write of tiles is torn",
    "home: a write of tiles is reordered",
    "embassy: a write is lost",
    "embassy: a write is kept though it failed",
    "embassy: a write is torn",
    "embassy: a write is reordered",
    "embassy: a write of keys fails",
    "embassy: its disk is full",
    "a home starts from torn tiles",
    "an embassy starts from torn tiles",
    # processes
    "a home dies at a step",
    "a home dies while it starts",
    "a home dies between its registers and its tiles",
    "a home is killed",
    "a home loses power",
    "a home is wiped",
    "an embassy dies at a write",
    "an embassy is killed",
    "an embassy loses power",
    "a takeover dies at a step",
    "a takeover dies when its registers are there",
    "a takeover goes on where it was",
    # lines and clocks
    "a request is lost",
    "an answer is lost",
    "a request comes late",
    "a request comes twice",
    "a line is cut",
    "a site is cut off from all",
    "a stream breaks with rounds under way",
    "an upload breaks off",
    "an embassy answers long after the others",
    "a courier jumps to the newest round",
    "a clock jumps back",
    "a clock jumps on",
    # embassies
    "an embassy is lost",
    "an embassy lies",
    "a traitor signs what it does not hold",
    "a traitor shows a thief's history",
    "an embassy comes back after two takeovers",
    "an embassy refuses a sealed log",
    "an embassy learns a later policy from others",
    "an embassy refuses a fork",
    "an embassy follows a thief",
    # homes
    "an old backup of home is started",
    "a home that was replaced still acts",
    "a start learns that its epoch is sealed",
    "a start learns that the policy moved on",
    "a start learns that embassies hold more",
    "a start learns of another history",
    "a start is answered by too few",
    # answers
    "an answer says that there is no quorum",
    "an answer says that there is no room",
    "an answer does not reach whom it is for",
    "a repeat gets the same answer",
    "a repeat gets the same answer from the next home",
    "a time is given again",
    # takeovers
    "a site takes over",
    "a site takes over from a home that lives",
    "two sites take over at once",
    "custodians let a third site take over from two",
    "of two sites that take over one gives way",
    "embassies sealed different sizes",
    "a settlement has tails",
    "a settlement has a fork",
    "a settlement has embassies behind",
    "a settlement waits for more embassies",
    "a settlement stands on as few as may be",
    "a settlement is split",
    "an epoch that was left empty is passed over",
    "registers are compared with an old home's",
    # standbys
    "a standby replays",
    "a standby waits for a quorum",
    "a standby follows a new home",
    "a standby raises the alarm on a fork",
    "a standby dies at a step",
    "a standby is killed",
    "a standby loses power",
    "standby: a write of tiles is lost",
    "standby: a write of tiles is kept though it failed",
    "standby: a write of tiles is torn",
    "standby: a write of tiles is reordered",
    "a standby starts from torn tiles",
    "a standby takes over",
    "a standby takes over that lags",
    "a standby's registers are compared with home's",
    # size
    "a home's log passes 256 entries",
    "an embassy passes 256 entries",
    "a takeover adopts a full tile",
    # rare: nothing rests on these
    "two takeovers split the embassies",
    "a standby stays behind because of a liar",
    "a standby begins anew",
    "a takeover begins anew in a standby's folder",
)
"""The names that `World.met` takes."""

RARE: Final[frozenset[str]] = frozenset(
    SITUATIONS[SITUATIONS.index("two takeovers split the embassies") :]
)
"""What may stay away for 500 seeds: it is counted, and nothing rests on it."""

_FAULT = re.compile(r"\((lost|persisted|torn|reordered)\)")
_HOME_WORDS = {
    "lost": "home: a write of tiles is lost",
    "persisted": "home: a write of tiles is kept though it failed",
    "torn": "home: a write of tiles is torn",
    "reordered": "home: a write of tiles is reordered",
}
_EMBASSY_WORDS = {
    "lost": "embassy: a write is lost",
    "persisted": "embassy: a write is kept though it failed",
    "torn": "embassy: a write is torn",
    "reordered": "embassy: a write is reordered",
}
_STANDBY_WORDS = {
    "lost": "standby: a write of tiles is lost",
    "persisted": "standby: a write of tiles is kept though it failed",
    "torn": "standby: a write of tiles is torn",
    "reordered": "standby: a write of tiles is reordered",
}
NOT_HOME: Final = {
    "sealed this epoch": "a start learns that its epoch is sealed",
    "version": "a start learns that the policy moved on",
    "entries of this epoch": "a start learns that embassies hold more",
    "another history": "a start learns of another history",
}


def fault_of(error: KullaError) -> str:
    """Which fault made a simulated tile store raise `error`; '' where it was none."""
    found = _FAULT.search(error.message)
    return found[1] if found else ""


def home_write(fault: str) -> str:
    """The situation in which a home's tile store broke with this fault."""
    return _HOME_WORDS[fault]


def standby_write(fault: str) -> str:
    """The situation in which a standby's tile store broke with this fault."""
    return _STANDBY_WORDS[fault]


def embassy_write(fault: str) -> str:
    """The situation in which an embassy's store broke with this fault."""
    return _EMBASSY_WORDS[fault]
