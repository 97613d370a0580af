"""Lines of a stream with their numbers, however long or broken they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

from kulla.watch.sources.batch import Batch, Gathering, Reject, Source, encoded, reject

LINE_MAX: Final = 16 << 20
"""A longer line is a Reject: it would fill the memory before anything could be said about it."""


class Pause(bytes):
    """What `readline` of a log that is being written gives where nothing more is there yet."""


PAUSE: Final = Pause(b"\n")
"""See Pause. Sources hand on what they gathered when it comes, and then read on."""

Read = Callable[[str], list[tuple[Source, dict[str, Any]]]]
"""One line to its events with their log sources. Raises ValueError that says what is wrong."""


def numbered(stream: BinaryIO, file: str) -> Iterator[tuple[int, bytes] | Reject | Pause]:
    """(number from 1, line without its end) of each line that is not empty.

    A byte order mark at the start is left out. A line over LINE_MAX is a Reject. A stream that
    begins in the middle of a log says in `lines_before` how many lines stand in front of it.
    """
    number = getattr(stream, "lines_before", 0)
    while line := stream.readline(LINE_MAX + 1):
        if isinstance(line, Pause):
            yield line
            continue
        number += 1
        if len(line) > LINE_MAX and not line.endswith(b"\n"):
            while (more := stream.readline(LINE_MAX)) and not more.endswith(b"\n"):
                pass
            yield reject(file, number, f"a line of more than {LINE_MAX >> 20} MiB", line)
            continue
        line = line.rstrip(b"\r\n")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, line


def read_lines(stream: BinaryIO, file: str, read: Read) -> Iterator[Batch | Reject]:
    """All events of a stream in which each line stands by itself.

    Bytes that are not UTF-8 are read as Latin-1, so that no record is lost for its letters.
    """
    gathering = Gathering(file)
    for item in numbered(stream, file):
        if isinstance(item, Reject):
            yield item
            continue
        if isinstance(item, Pause):
            yield from gathering.rest()
            continue
        number, line = item
        try:
            events = read(text_of(line))
        except ValueError as error:
            yield reject(file, number, str(error), line)
            continue
        for source, event in events:
            yield from gathering.add(source, number, encoded(event))
    yield from gathering.rest()


def object_of(line: str) -> dict[str, Any]:
    """The object of JSON that a line is. Raises ValueError that says why it is none."""
    try:
        found = json.loads(line)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("a line of JSON, but no object")
    return found


def text_of(line: bytes) -> str:
    """The line as text: UTF-8, or else Latin-1, which reads any byte."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")
