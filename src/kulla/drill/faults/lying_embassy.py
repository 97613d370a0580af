"""One embassy lies, from the beginning to the end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from kulla.drill.fault import HOME, Fault, Scene
from kulla.drill.liar import COUNTS, KINDS, ShowsFalsely
from kulla.drill.throwaway import Arrangement, Throwaway
from kulla.tower.minder import ChildSpec
from kulla.tower.up import EMBASSIES

_KINDS: Final = tuple(KINDS)


class LyingEmbassy(Fault):
    """A liar (liar.py) stands in one embassy's place; the seed chooses where and of which kind.

    At most one embassy may be lost or lie: so the blow takes home, and the liar is the one embassy
    on which nobody can count. Its folder is no evidence.
    """

    name = "lying-embassy"

    def __init__(self, seed: int) -> None:
        """See Fault."""
        super().__init__(seed)
        self._kind = _KINDS[seed % len(_KINDS)]
        # Tiles are fetched from the first one that holds what is adopted: there it can show some.
        shows = self._kind == ShowsFalsely.kind
        self._liar = EMBASSIES[0] if shows else self.chance.choice(EMBASSIES)
        self.done |= {"liar": self._liar, "kind": self._kind}

    def arrangement(self) -> Arrangement:
        """See Fault."""
        return Arrangement(change=self._change)

    def _change(self, spec: ChildSpec) -> ChildSpec:
        if spec.name != f"embassy-{self._liar}":
            return spec
        lies = ("drill", "lying-embassy", spec.words[-1], "--kind", self._kind)
        return replace(spec, words=(*lies, "--seed", str(self.seed)))

    def doomed(self) -> tuple[str, ...]:
        """See Fault."""
        return (HOME,)

    def liars(self) -> frozenset[str]:
        """See Fault."""
        return frozenset({self._liar})

    def look(self, scene: Scene) -> None:
        """See Fault."""
        self.done["lies"] = self._lies(scene.tower)
        if not self.done["lies"]:
            self.complaints.append("the liar found no occasion to lie")

    def _lies(self, tower: Throwaway) -> dict[str, int]:
        folder = tower.plan.embassy(self._liar)
        try:
            text = folder.with_name(f"{folder.name}-{COUNTS}").read_text(encoding="ascii")
            found: dict[str, int] = json.loads(text)
        except (OSError, ValueError):
            return {}
        return found
