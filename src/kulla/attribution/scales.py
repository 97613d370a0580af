"""The written scales: PHIA's yardstick, Admiralty codes, forging, ratings, Diamond vertices.

PHIA: the UK's Professional Head of Intelligence Assessment, Probability Yardstick. Admiralty: NATO
AJP-2.1 source reliability A to F and information credibility 1 to 6. Ratings: Heuer's analysis of
competing hypotheses. Vertices: Caltagirone, Pendergast and Betz, the Diamond Model (2013).
"""

from __future__ import annotations

import math
from typing import Final, Literal

Rating = Literal["CC", "C", "N", "I", "II"]
Vertex = Literal["adversary", "capability", "infrastructure", "victim"]
Forging = Literal["free", "cheap", "costly", "hard"]

# PHIA's ranges have gaps between them. The rule for a value in a gap: it takes the word nearer to
# an even chance, so a gap never makes a judgement sound surer. The bounds are the words' upper ends
# below an even chance, and their lower ends above it.
YARDSTICK: Final = (
    ("remote chance", 0.0, 0.05),
    ("highly unlikely", 0.10, 0.20),
    ("unlikely", 0.25, 0.35),
    ("realistic possibility", 0.40, 0.50),
    ("likely", 0.55, 0.75),
    ("highly likely", 0.80, 0.90),
    ("almost certain", 0.95, 1.0),
)
WORDS: Final = tuple(word for word, _, _ in YARDSTICK)
CAP_OF_OVERLAP: Final = "realistic possibility"

RELIABILITY: Final = {
    "A": ("completely reliable", 1.0),
    "B": ("usually reliable", 0.8),
    "C": ("fairly reliable", 0.6),
    "D": ("not usually reliable", 0.3),
    "E": ("unreliable", 0.1),
    "F": ("reliability can't be judged", 0.3),
}
CREDIBILITY: Final = {
    "1": ("confirmed by other sources", 1.0),
    "2": ("probably true", 0.8),
    "3": ("possibly true", 0.5),
    "4": ("doubtful", 0.25),
    "5": ("improbable", 0.1),
    "6": ("truth can't be judged", 0.3),
}
FORGING: Final[dict[str, float]] = {"free": 0.25, "cheap": 0.5, "costly": 0.8, "hard": 1.0}
# How far somebody who wants to look like another comes with such an item: 1 copies it fully.
COPIED: Final[dict[str, float]] = {"free": 1.0, "cheap": 0.9, "costly": 0.4, "hard": 0.0}
# The log likelihood that a rating stands for, at full weight: from 'very consistent' to 'very
# inconsistent' is a factor of nine.
RATINGS: Final[dict[str, float]] = {
    "CC": math.log(3),
    "C": math.log(1.5),
    "N": 0.0,
    "I": -math.log(1.5),
    "II": -math.log(3),
}
# All items of one report together move the odds between two hypotheses by no more than this factor:
# a report that errs errs as a whole.
REPORT_ODDS_MAX: Final = 10.0

VERTEX_OF: Final[dict[str, Vertex]] = {
    "technique": "capability",
    "software": "capability",
    "hash": "capability",
    "code": "capability",
    "infrastructure": "infrastructure",
    "target": "victim",
    "language": "adversary",
    "working_hours": "adversary",
    "persona": "adversary",
    "claim": "adversary",
    "leak": "adversary",
    "operator": "adversary",
}
OVERLAP_KINDS: Final = ("technique", "software")
VERTICES: Final[tuple[Vertex, ...]] = ("adversary", "capability", "infrastructure", "victim")
WHAT_A_VERTEX_NEEDS: Final[dict[Vertex, str]] = {
    "adversary": "who sat at the keyboard: language, working hours, accounts, a person",
    "capability": "code or tools that others do not have",
    "infrastructure": "servers, addresses, certificates or accounts that tie to earlier activity",
    "victim": "who else was attacked by the same hands, and what the target meant to whom then",
}


def word_for(probability: float) -> str:
    """PHIA's word for a probability in [0, 1], by the rule for gaps above."""
    assert 0.0 <= probability <= 1.0
    p = round(probability, 6)
    below = [word for word, _, high in YARDSTICK[:4] if p <= high]
    if below:
        return below[0] if p <= 0.5 else "realistic possibility"
    return [word for word, low, _ in YARDSTICK if p >= low][-1]


def weaker(one: str, other: str) -> str:
    """The word that stands lower on the yardstick."""
    return min(one, other, key=WORDS.index)


def range_of(word: str) -> tuple[float, float]:
    """The range of probabilities that PHIA gives to a word."""
    return next((low, high) for name, low, high in YARDSTICK if name == word)


def weight_of(admiralty: str, forging: str) -> float:
    """How much an item counts, in (0, 1]: reliability x credibility x what forging it costs."""
    return RELIABILITY[admiralty[0]][1] * CREDIBILITY[admiralty[1]][1] * FORGING[forging]
