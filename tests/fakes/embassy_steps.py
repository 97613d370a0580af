"""Steps that tests of an embassy's answers share."""

from __future__ import annotations

import json

from fakes.embassy import GrowingLog, SimulatedEmbassy
from kulla.embassy.replies import Reply, parse_refusal


def entries(count: int, *, first: int = 0) -> list[bytes]:
    """Small entries, each another one."""
    return [b"entry %d" % number for number in range(first, first + count)]


def said(reply: Reply) -> tuple[int, str]:
    """Status and text."""
    return reply.status, reply.body.decode()


def refused(reply: Reply) -> object:
    """The error that a client makes of a refusal."""
    assert reply.status >= 400
    return parse_refusal(reply.status, reply.media_type, reply.body)


def follow(embassy: SimulatedEmbassy, log: GrowingLog) -> Reply:
    """One good round from whatever size the embassy has."""
    size = embassy.mirror._logs[log.origin].mirrored_size
    assert embassy.mirror.add_checkpoint(log.checkpoint_body(size)).status == 200
    return embassy.mirror.add_entries(log.entries_body(size))


def follow_entries(embassy: SimulatedEmbassy, log: GrowingLog) -> Reply:
    """Upload what the embassy lacks of its pending checkpoint."""
    return embassy.mirror.add_entries(log.entries_body(embassy.mirror._logs[log.origin].next_entry))


def decode_json(reply: Reply) -> list[dict[str, str]]:
    """The records of evidence."""
    found: list[dict[str, str]] = json.loads(reply.body)
    return found
