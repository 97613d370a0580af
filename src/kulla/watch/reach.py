"""Which rules load, and yet can never be asked: no source of ours gives the events they are for.

Such a rule would be silent whatever happens, and look like one that found nothing. So it is named.
"""

from __future__ import annotations

from collections.abc import Iterable

from kulla.watch.sigma.load import RuleSet
from kulla.watch.sigma.rule import Rule, Unfit
from kulla.watch.sources.batch import Source
from kulla.watch.sources.gives import given, holds
from kulla.watch.sources.mapping import Mapped

_WHY_NOT = {
    "file_access": "Windows writes it to no event log, only to a trace of Kernel-File (ETW).",
    "file_rename": "Windows writes it to no event log, only to a trace of Kernel-File (ETW).",
}


def unreached(loaded: RuleSet, mappings: Iterable[Mapped]) -> list[Unfit]:
    """Rules and correlations that no event can reach, each with the reason.

    mappings: all that this run reads other JSON with. A correlation is unreached where one of its
    rules is and it can't hold without it, or where all are.
    """
    sources = given(mappings)
    found: list[Unfit] = []
    deaf: dict[str, str] = {}
    for rule in loaded.rules:
        if not _reached(rule, sources):
            found.append(Unfit(rule.id, rule.title, rule.file, _reason(rule)))
            deaf |= {word: rule.title for word in (rule.id, rule.name) if word}
    for one in loaded.correlations:
        missing = [name for name in one.rules if name in deaf]
        together = one.kind.startswith("temporal") and not one.expression
        if missing and (together or len(missing) == len(one.rules)):
            why = f"No event reaches {deaf[missing[0]]!r}, which it needs."
            found.append(Unfit(one.id, one.title, one.file, why))
            deaf |= {word: one.title for word in (one.id, one.name) if word}
    return found


def _reached(rule: Rule, sources: tuple[Source, ...]) -> bool:
    asked = [(one.product, one.category, one.service) for one in rule.variants]
    return any(holds(one, came) for one in asked for came in sources)


def _reason(rule: Rule) -> str:
    words = "/".join((rule.product or "any", rule.category or "-", rule.service or "-"))
    if rule.product == "windows":
        why = _WHY_NOT.get(rule.category, "No channel of Windows is known for it.")
        return f"No event reaches it: nothing that is read here is {words}. {why}"
    return (
        f"No event reaches it: nothing that is read here is {words}."
        " Where it comes as JSON, a file of --mappings can say so."
    )
