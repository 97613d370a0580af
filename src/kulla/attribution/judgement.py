"""A judgement: what the desk says of an incident, as one JSON object that pages and bundles read.

It holds sentences beside the numbers that they come from. Likelihood and analytic confidence never
share a sentence. Numbers are rounded to six places, so that the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from kulla.attribution.ceilings import Ceiling, speaking_for
from kulla.attribution.confidence import confidence_of
from kulla.attribution.desk import Desk, Matter, matter_of
from kulla.attribution.evidence import Dissent, Incident
from kulla.attribution.matrix import Matrix, build
from kulla.attribution.scales import CAP_OF_OVERLAP, WORDS, range_of, weaker, word_for
from kulla.attribution.sensitivity import (
    Change,
    Next,
    ceiling_of,
    changes,
    outlook,
    published,
)
from kulla.attribution.steps import STEPS, Hypothesis, Standing

QUESTIONS: Final = {
    "cluster": "Which cluster of activity is it?",
    "group": "Which group was it?",
    "state": "Which state stands behind it?",
}
_HYPOTHESES_SHOWN: Final = 8
_CHANGES_SHOWN: Final = 12
_CITATIONS_SHOWN: Final = 5
_GROUPS_SHOWN: Final = 3


def judge(desk: Desk, incident: Incident) -> dict[str, Any]:
    """The judgement of an incident as a JSON object.

    Raises EvidenceInvalid where the incident can't be judged as it stands.
    """
    matter = matter_of(incident, desk.knowledge)
    standing = matter.standing(desk)
    moved = changes(desk, matter, standing)
    return {
        "known_at": incident.known_at.isoformat() if incident.known_at else None,
        "knowledge": _knowledge(desk),
        "steps": {name: _step(desk, matter, standing, name, moved) for name in STEPS},
        "changes": [_change(one) for one in moved[:_CHANGES_SHOWN]],
        "outlook": [_next(one) for one in outlook(desk, matter, standing)],
        "dissent": [_dissent(desk, matter, standing, one) for one in incident.dissents],
        "said_elsewhere": [vars(one) for one in incident.elsewhere],
        "assumptions": list(incident.assumptions),
        "evidence": [_item(desk, matter, one.id) for one in matter.items],
        "notes": [*incident.notes, *_copies(incident, matter), *matter.resolved.notes],
        "limits": _limits(desk),
    }


def likelihood_sentence(word: str, label: str, step: str) -> str:
    """A sentence such as 'There is a realistic possibility that OilRig (G0049) was behind it'."""
    what = f"this is {label}" if step == "cluster" else f"{label} was behind it"
    if word in ("realistic possibility", "remote chance"):
        return f"There is a {word} that {what}."
    return f"It is {word} that {what}."


def _step(
    desk: Desk, matter: Matter, standing: Standing, name: str, moved: Sequence[Change]
) -> dict[str, Any]:
    answers = standing.step(name)
    lead = answers[0]
    top = ceiling_of(desk, lead.key, matter.items)
    word = weaker(word_for(lead.weighed), top.word)
    sentences = [_leading(word, lead, name)]
    if word != word_for(lead.weighed):
        sentences.append(top.sentence())
    named = next((one for one in answers if ":" in one.key), None)
    if named is not None and named is not lead:
        its = weaker(word_for(named.weighed), ceiling_of(desk, named.key, matter.items).word)
        sentences.append(f"Of those that can be named: {_lower(its, named, name)}")
    sure = confidence_of(desk, matter, name, top, moved)
    matrix = build(answers, matter.items, matter.resolved.ids, desk.ledger, desk.states, name)
    return {
        "question": QUESTIONS[name],
        "likelihood": " ".join(sentences),
        "word": word,
        "range": list(range_of(word)),
        "confidence": sure.sentence(),
        "confidence_level": sure.level,
        "confidence_for": list(sure.for_it),
        "confidence_against": list(sure.against_it),
        "ceiling": _ceiling(top),
        "hypotheses": [_hypothesis(desk, matter, standing, one, name) for one in _shown(answers)],
        "matrix": _matrix(matrix),
    }


def _leading(word: str, lead: Hypothesis, step: str) -> str:
    if WORDS.index(word) >= WORDS.index(CAP_OF_OVERLAP):
        return likelihood_sentence(word, lead.label, step)
    return f"No answer stands out. The likeliest is {lead.label}, and the word for it is ‘{word}’."


def _lower(word: str, one: Hypothesis, step: str) -> str:
    sentence = likelihood_sentence(word, one.label, step)
    return sentence[0].lower() + sentence[1:]


def _shown(answers: Sequence[Hypothesis]) -> list[Hypothesis]:
    always = [one for one in answers if ":" not in one.key]
    named = [one for one in answers if ":" in one.key][:_HYPOTHESES_SHOWN]
    return [one for one in answers if one in always or one in named]


def _hypothesis(
    desk: Desk, matter: Matter, standing: Standing, one: Hypothesis, step: str
) -> dict[str, Any]:
    top = ceiling_of(desk, one.key, matter.items)
    found: dict[str, Any] = {
        "key": one.key,
        "label": one.label,
        "score": round(one.score, 6),
        "weighed": round(one.weighed, 6),
        "word": weaker(word_for(one.weighed), top.word),
        "word_without_ceiling": word_for(one.weighed),
        "release": desk.knowledge.release,
        "supported_by": [one.id for one in speaking_for(one.key, matter.items, desk.states)],
    }
    if step == "state" and one.key.startswith("state:"):
        found["through"] = _through(desk, standing, one.key.partition(":")[2])
    if step == "group" and one.key.startswith("group:"):
        found |= _rests_on(desk, matter, one.key.partition(":")[2])
    return found


def _through(desk: Desk, standing: Standing, state: str) -> list[dict[str, Any]]:
    """The likeliest groups that the list of states suspects to act for this one."""
    groups = [one for one in standing.group if desk.states.get(one.key.partition(":")[2]) == state]
    return [
        {"label": one.label, "score": round(one.score, 6), "weighed": round(one.weighed, 6)}
        for one in groups[:_GROUPS_SHOWN]
    ]


def _rests_on(desk: Desk, matter: Matter, group: str) -> dict[str, Any]:
    """What the group shares with the incident, and the reports that say so."""
    items = sorted(
        {
            item
            for (by, _), named in desk.knowledge.reports.items()
            if by == group
            for item in named
            if item in matter.resolved.compared
        }
    )
    citations = desk.knowledge.citations_for(group, items)
    return {
        "suspected_state": desk.states.get(group),
        "shared": [{"id": item, "name": desk.knowledge.name(item)} for item in items],
        "reports": [
            {"citation": one, "year": desk.knowledge.years.get(one)}
            for one in citations[:_CITATIONS_SHOWN]
        ],
        "more_reports": max(0, len(citations) - _CITATIONS_SHOWN),
    }


def _knowledge(desk: Desk) -> dict[str, Any]:
    known = desk.knowledge
    return {
        "release": known.release,
        "date": known.date,
        "source": known.source,
        "sha256": known.sha256,
        "groups": len(desk.profiles.groups),
        "reports": len(desk.profiles.citations),
        "states": known.states_source,
        "unlisted_share": round(desk.learned.unlisted_share, 6),
    }


def _ceiling(top: Ceiling) -> dict[str, Any]:
    return {
        "word": top.word,
        "carried": {vertex: list(ids) for vertex, ids in top.carried.items()},
        "missing": list(top.missing),
        "reports": list(top.reports),
        "sentence": top.sentence(),
    }


def _matrix(matrix: Matrix) -> dict[str, Any]:
    return {
        "columns": [
            {"key": one.key, "label": one.label, "inconsistency": round(value, 6)}
            for one, value in zip(matrix.columns, matrix.inconsistency, strict=True)
        ],
        "rows": [
            {
                "item": row.item,
                "said": row.said,
                "weight": round(row.weight, 6),
                "ratings": list(row.ratings),
                "diagnosticity": round(row.diagnosticity, 6),
            }
            for row in matrix.rows
        ],
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "without": one.without,
        "kind": one.kind,
        "step": one.step,
        "before": one.before.label,
        "word_before": one.before.word,
        "after": one.after.label,
        "word_after": one.after.word,
        "moved": round(one.moved, 6),
        "turns": one.turns,
    }


def _next(one: Next) -> dict[str, Any]:
    return {
        "step": one.step,
        "look_for": one.what,
        "now": one.before,
        "if_for": one.if_for,
        "if_against": one.if_against,
    }


def _dissent(desk: Desk, matter: Matter, standing: Standing, one: Dissent) -> dict[str, Any]:
    """The dissent as it was given, and what the judgement would be with its ratings."""
    items = [
        replace(item, ratings={**item.ratings, **one.ratings[item.id]})
        if item.id in one.ratings and item.id not in matter.resolved.ids
        else item
        for item in matter.items
    ]
    other = matter.standing(desk, items)
    would = []
    for name in STEPS:
        before = published(desk, standing, name, matter.items)
        after = published(desk, other, name, items)
        would.append(
            {
                "step": name,
                "judgement": likelihood_sentence(before.word, before.label, name),
                "with_dissent": likelihood_sentence(after.word, after.label, name),
                "changes": (before.key, before.word) != (after.key, after.word),
            }
        )
    return {
        "analyst": one.analyst,
        "on": one.on,
        "text": one.text,
        "ratings": {key: dict(sorted(value.items())) for key, value in sorted(one.ratings.items())},
        "steps": would,
    }


def _item(desk: Desk, matter: Matter, identifier: str) -> dict[str, Any]:
    item = next(one for one in matter.items if one.id == identifier)
    report = matter.incident.reports[item.origin]
    compared = matter.resolved.ids.get(item.id, "")
    return {
        "id": item.id,
        "kind": item.kind,
        "vertex": item.vertex,
        "value": item.value,
        "compared_as": "" if item.id in matter.resolved.unknown else compared,
        "name": desk.knowledge.name(compared) if compared in desk.knowledge.names else item.value,
        "said": item.said,
        "report": report.title,
        "url": report.url,
        "known": item.known.isoformat() if item.known else "",
        "admiralty": item.admiralty,
        "forging": item.forging,
        "forged_by": item.forged_by,
        "weight": round(item.weight, 6),
        "ratings": dict(sorted(item.ratings.items())),
    }


def _copies(incident: Incident, matter: Matter) -> list[str]:
    kept = {one.id for one in matter.items}
    gone = sorted(one.id for one in incident.items if one.id not in kept)
    return (
        [f"Counted once with another item of the same report: {', '.join(gone)}."] if gone else []
    )


def _limits(desk: Desk) -> list[str]:
    known = desk.knowledge
    return [
        f"‘An actor not listed’ means: not a group of ATT&CK {known.release} with a cited report. "
        f"Of reports as the years went, {desk.learned.unlisted_share:.0%} were about groups that "
        "had none before; that is where its probability begins.",
        "Scores come from techniques and software alone and are what `kulla attribute evaluate` "
        "tests. What other evidence adds follows the written rules of docs/attribution.md; no "
        "data exist to test those on.",
        f"Words from overlap alone stop at ‘{CAP_OF_OVERLAP}’.",
        "Suspected states are those of the list that is named above, as of its own date, which "
        "may be later than the incident.",
    ]
