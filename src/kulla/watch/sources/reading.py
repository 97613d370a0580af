"""Reads every log under some paths: opened, recognised, read; what can't be is a Reject."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from kulla.watch.sources.batch import Batch, Reject, reject
from kulla.watch.sources.opening import Opened, damage_of, open_all
from kulla.watch.sources.recognise import UNKNOWN, Readers, recognise
from kulla.watch.sources.times import NOTHING_SAID, Assumed


def read_all(
    paths: Iterable[Path | str],
    readers: Readers,
    assumed: Assumed = NOTHING_SAID,
    standard_input: BinaryIO | None = None,
) -> Iterator[Batch | Reject]:
    """Everything under the paths ('-' is `standard_input`), file by file.

    assumed: what is taken where a record does not say its zone or year; a file's own date counts
    before `assumed.newest_us`.
    """
    for opened in open_all(paths, standard_input):
        if isinstance(opened, Reject):
            yield opened
        else:
            yield from read_opened(opened, readers, assumed)


def read_opened(
    opened: Opened, readers: Readers, assumed: Assumed = NOTHING_SAID
) -> Iterator[Batch | Reject]:
    """One log. What no source knows is one Reject for the whole file, and never silence."""
    if opened.modified_us is not None:
        assumed = replace(assumed, newest_us=opened.modified_us)
    kind = recognise(opened.head, readers.mappings)
    read = readers.read(kind, assumed)
    if read is None:
        reason = f"no reader for {kind}" if kind != UNKNOWN else "no source that is known"
        yield reject(opened.file, 0, reason, opened.head)
        return
    yield from read(opened.stream, opened.file)
    yield from damage_of(opened)
