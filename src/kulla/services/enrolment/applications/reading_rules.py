"""A round's rules, read from the register. Pure."""

from __future__ import annotations

import json

from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Priority, Rules


def rules_of(text: str) -> Rules:
    """The rules whose canonical JSON this is; the room `rounds` checked them when they were set."""
    plain = json.loads(text)
    return Rules(
        priorities=tuple(Priority(**each) for each in plain.get("priorities", ())),
        pools=tuple(Pool(**each) for each in plain.get("pools", ()))
        or (Pool(OPEN_POOL, "Open seats"),),
        tie_break=plain.get("tie_break", "single"),
        choices_max=plain.get("choices_max", 0),
        siblings_together=plain.get("siblings_together", True),
        ages=tuple((grade, first, last) for grade, first, last in plain.get("ages", ())),
        titles=tuple((each, title) for each, title in plain.get("titles", ())),
    )
