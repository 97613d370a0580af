"""How commands and answers travel between processes of one home: maps of canonical CBOR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from kulla.kernel.canonical import Value, decode_own
from kulla.kernel.errors import KullaError
from kulla.kernel.service import ASSERTION_BYTES_MAX, VIA_BYTES, Actor, Command, Role
from kulla.kernel.tower import Answer, Witnessing

ROLES = ("citizen", "clerk", "operator", "analyst", "custodian")
ID_BYTES = 16
NAMES_MAX = 600


class MalformedAsk(KullaError):
    """What arrived at the scribe's door is not a question that it answers."""


def command_map(command: Command) -> dict[str, Value]:
    """The map that stands for a command on the wire."""
    return {
        "service": command.service,
        "name": command.name,
        "id": command.id,
        "role": command.actor.role,
        "subject": command.actor.subject,
        "data": command.data,
        "names": list(command.names),
        "behalf": command.actor.behalf,
        "assertion": command.assertion,
        "via": command.via,
    }


def parse_command(fields: Mapping[str, Any]) -> Command:
    """The command that a map stands for. Raises MalformedAsk, naming the field that is wrong."""
    for name, kind in (
        ("service", str),
        ("name", str),
        ("id", bytes),
        ("role", str),
        ("subject", str),
        ("data", dict),
        ("names", list),
        ("behalf", str),
        ("assertion", bytes),
        ("via", bytes),
    ):
        if not isinstance(fields.get(name), kind):
            raise MalformedAsk(f"the field is missing or not {kind.__name__}.", place=name)
    if fields["role"] not in ROLES:
        raise MalformedAsk("there is no such role.", place="role")
    if len(fields["id"]) != ID_BYTES:
        raise MalformedAsk(f"a command id has {ID_BYTES} bytes.", place="id")
    names = fields["names"]
    if len(names) > NAMES_MAX or not all(isinstance(n, bytes) and len(n) == 32 for n in names):
        raise MalformedAsk("names are at most 600 SHA-256 hashes.", place="names")
    if len(fields["assertion"]) > ASSERTION_BYTES_MAX:
        raise MalformedAsk(f"an assertion has {ASSERTION_BYTES_MAX} bytes.", place="assertion")
    if len(fields["via"]) not in (0, VIA_BYTES):
        raise MalformedAsk(f"a mark has {VIA_BYTES} bytes.", place="via")
    actor = Actor(cast(Role, fields["role"]), fields["subject"], fields["behalf"])
    return Command(
        fields["service"],
        fields["name"],
        fields["id"],
        actor,
        fields["data"],
        tuple(names),
        fields["assertion"],
        fields["via"],
    )


def answer_map(answer: Answer) -> dict[str, Value]:
    """The map that stands for an answer on the wire."""
    return {
        "status": answer.status,
        "positions": list(answer.positions),
        "code": answer.code,
        "detail": answer.detail,
    }


def parse_answer(fields: Mapping[str, Any]) -> Answer:
    """The answer that a map from the scribe stands for."""
    return Answer(fields["status"], tuple(fields["positions"]), fields["code"], fields["detail"])


def witnessing_map(state: Witnessing) -> dict[str, Value]:
    """The map that the scribe publishes whenever the watermark moves, and each second."""
    return {
        "watermark": state.watermark,
        "size": state.size,
        "moved_ms": state.moved_ms,
        "quorum": state.quorum,
    }


def parse_map(frame: bytes) -> dict[str, Any]:
    """A frame's map. Raises MalformedAsk where it is none."""
    try:
        fields = decode_own(frame)
    except KullaError as error:
        raise MalformedAsk("this is not CBOR.") from error
    if not isinstance(fields, dict):
        raise MalformedAsk("this is not a map.")
    return fields
