"""The judgement as a STIX 2.1 bundle, so that others' tools can take it in and disagree.

The incident is a campaign. Groups are intrusion sets, suspected states threat actors. The campaign
is `attributed-to` those for which there is a realistic possibility at least, and `related-to` the
others that were considered, so that a tool that reads no likelihood does not accuse them; a
grouping holds all of it. `confidence` is the analytic confidence on STIX's None/Low/Med/High scale
(appendix A); likelihood is another thing and stands in a property extension of its own. Opinions
say how far the desk, and each dissenter, agrees. Ids are UUIDs of version 5 from the record's
content, so the same judgement makes the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kulla.attribution.files import sha256_of
from kulla.attribution.scales import CAP_OF_OVERLAP, WORDS, range_of
from kulla.attribution.states import state_name

_SPACE: Final = uuid.UUID("2d4a2e6e-6b0f-5d0f-9c52-7c0c1a6f2b11")
EXTENSION: Final = f"extension-definition--{uuid.uuid5(_SPACE, 'likelihood/1')}"
# STIX 2.1, appendix A: None/Low/Med/High.
CONFIDENCE: Final = {"low": 15, "moderate": 50, "high": 85}
_OPINIONS: Final = (
    ("strongly-disagree", "highly unlikely"),
    ("disagree", "unlikely"),
    ("neutral", "realistic possibility"),
    ("agree", "likely"),
    ("strongly-agree", "almost certain"),
)
_NAMED_MAX: Final = 5


def bundle(record: Mapping[str, Any]) -> dict[str, Any]:
    """The STIX 2.1 bundle of a record (see `record.py`)."""
    return _Maker(record).bundle()


class _Maker:
    """Makes the objects of one record; each id is made from the record and what it is for."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._incident = record["incident"]
        self._judgement = record["judgement"]
        self._notice = record["notice"]
        text = json.dumps([self._incident, self._judgement], sort_keys=True, ensure_ascii=False)
        self._seed = sha256_of(text.encode())
        day = self._judgement["known_at"] or self._judgement["knowledge"]["date"] or "1970-01-01"
        self._at = f"{day}T00:00:00.000Z"
        self._author = self._id("identity", "desk")

    def bundle(self) -> dict[str, Any]:
        """See the function of this name."""
        identity = {
            **self._head("identity", self._author),
            "name": "Kulla, attribution desk",
            "identity_class": "system",
        }
        definition = {
            **self._head("extension-definition", EXTENSION),
            "name": "Likelihood",
            "description": "The likelihood of an attribution in the words of PHIA's yardstick, "
            "apart from the confidence in it.",
            "schema": "docs/attribution.md",
            "version": "1.0.0",
            "extension_types": ["property-extension"],
            "created_by_ref": self._author,
        }
        campaign = {
            **self._object("campaign", "incident"),
            "name": self._incident["name"],
            "description": self._incident["question"],
        }
        objects = [identity, definition, campaign, *self._evidence()]
        relationships = self._groups(campaign["id"]) + self._states(campaign["id"])
        objects += relationships
        objects += self._opinions([one for one in relationships if one["type"] == "relationship"])
        grouping = {
            **self._object("grouping", "judgement"),
            "name": f"Judgement: {self._incident['name']}",
            "context": "suspicious-activity",
            "description": self._text(),
            "object_refs": [one["id"] for one in objects],
        }
        return {
            "type": "bundle",
            "id": self._id("bundle", "bundle"),
            "objects": [*objects, grouping],
        }

    def _text(self) -> str:
        steps = self._judgement["steps"].values()
        said = [f"{one['question']} {one['likelihood']}\n{one['confidence']}" for one in steps]
        return "\n\n".join([*said, *self._judgement["limits"], self._notice])

    def _groups(self, campaign: str) -> list[dict[str, Any]]:
        step = self._judgement["steps"]["group"]
        found = []
        for one in _named(step["hypotheses"]):
            group = one["key"].partition(":")[2]
            actor = {
                **self._object("intrusion-set", one["key"]),
                "name": one["label"].rpartition(" (")[0],
                "external_references": [
                    {
                        "source_name": "mitre-attack",
                        "external_id": group,
                        "url": f"https://attack.mitre.org/groups/{group}",
                    },
                    *(
                        {
                            "source_name": report["citation"],
                            "description": f"cited by ATT&CK {one['release']}",
                        }
                        for report in one["reports"]
                    ),
                ],
            }
            found += [actor, self._attributed(campaign, actor["id"], one, step)]
        return found

    def _states(self, campaign: str) -> list[dict[str, Any]]:
        step = self._judgement["steps"]["state"]
        found = []
        for one in _named(step["hypotheses"]):
            code = one["key"].partition(":")[2]
            actor = {
                **self._object("threat-actor", one["key"]),
                "name": f"An actor of {state_name(code)}",
                "threat_actor_types": ["nation-state"],
                "description": f"Suspected state: {code} (ISO 3166).",
            }
            found += [actor, self._attributed(campaign, actor["id"], one, step)]
        return found

    def _attributed(
        self, source: str, target: str, one: Mapping[str, Any], step: Mapping[str, Any]
    ) -> dict[str, Any]:
        low, high = range_of(one["word"])
        return {
            **self._object("relationship", f"{source} {target}"),
            "relationship_type": "attributed-to" if _is_published(one["word"]) else "related-to",
            "source_ref": source,
            "target_ref": target,
            "confidence": CONFIDENCE[step["confidence_level"]],
            "description": f"{step['question']} {one['label']}: {one['word']}.",
            "extensions": {
                EXTENSION: {
                    "extension_type": "property-extension",
                    "likelihood": one["word"],
                    "likelihood_low": low,
                    "likelihood_high": high,
                    "score": one["score"],
                    "weighed": one["weighed"],
                    "knowledge_release": one["release"],
                }
            },
        }

    def _opinions(self, relationships: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for one in relationships:
            word = one["extensions"][EXTENSION]["likelihood"]
            found.append(
                {
                    **self._object("opinion", f"desk {one['id']}"),
                    "opinion": opinion_for(word),
                    "explanation": one["description"],
                    "object_refs": [one["id"]],
                    "authors": ["Kulla, attribution desk"],
                }
            )
        refs = [one["id"] for one in relationships]
        for number, one in enumerate(self._judgement["dissent"]):
            if refs:
                found.append(
                    {
                        **self._object("opinion", f"dissent {number}"),
                        "opinion": "disagree",
                        "explanation": one["text"],
                        "authors": [one["analyst"]],
                        "object_refs": refs,
                    }
                )
        return found

    def _evidence(self) -> list[dict[str, Any]]:
        """Techniques and software as objects; other items as notes on the incident."""
        found: list[dict[str, Any]] = []
        campaign = self._id("campaign", "incident")
        done: set[str] = set()
        for one in self._judgement["evidence"]:
            what = one["compared_as"] or one["value"]
            if what and what in done:
                continue
            done.add(what)
            if one["kind"] == "technique" and one["compared_as"]:
                found.append(self._attack("attack-pattern", one))
            elif one["kind"] == "software":
                found.append({**self._attack("malware", one), "is_family": True})
            else:
                found.append(self._note(one, campaign))
        return found

    def _attack(self, kind: str, one: Mapping[str, Any]) -> dict[str, Any]:
        identifier = one["compared_as"]
        plain = {**self._object(kind, identifier or one["value"]), "name": one["name"]}
        if one["said"]:
            plain["description"] = one["said"]
        if identifier:
            plain["external_references"] = [
                {"source_name": "mitre-attack", "external_id": identifier}
            ]
        return plain

    def _note(self, one: Mapping[str, Any], campaign: str) -> dict[str, Any]:
        value = f"{one['value']}: " if one["value"] else ""
        return {
            **self._object("note", f"item {one['id']}"),
            "abstract": f"{one['id']}, {one['kind']}, {one['admiralty']}",
            "content": f"{value}{one['said']} ({one['report']}; forging is {one['forging']})",
            "object_refs": [campaign],
        }

    def _object(self, kind: str, what: str) -> dict[str, Any]:
        return {**self._head(kind, self._id(kind, what)), "created_by_ref": self._author}

    def _head(self, kind: str, identifier: str) -> dict[str, Any]:
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": identifier,
            "created": self._at,
            "modified": self._at,
        }

    def _id(self, kind: str, what: str) -> str:
        return f"{kind}--{uuid.uuid5(_SPACE, f'{self._seed} {kind} {what}')}"


def _is_published(word: str) -> bool:
    return WORDS.index(word) >= WORDS.index(CAP_OF_OVERLAP)


def opinion_for(word: str) -> str:
    """STIX's opinion for a likelihood: disagreement below an even chance, agreement above."""
    at = WORDS.index(word)
    return next(opinion for opinion, most in _OPINIONS if at <= WORDS.index(most))


def _named(hypotheses: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in hypotheses if ":" in one["key"]][:_NAMED_MAX]
