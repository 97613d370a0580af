"""Translations: from the .po files of all parts to one compiled catalogue a language.

Django reads compiled catalogues only, and compiled files don't belong into a repository. So each
start compiles them into the run folder: no tool is needed, nothing is ever stale, and it takes some
milliseconds. What a page does not find in the catalogue it shows in English.
"""

from __future__ import annotations

import ast
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import kulla
from kulla.kernel.errors import KullaError

LANGUAGES: Final = ("sq",)
_MAGIC: Final = 0x950412DE
_CONTEXT_END: Final = "\x04"
_PLURAL_END: Final = "\x00"


class CatalogueInvalid(KullaError):
    """A .po file that can't be read, or two that translate one text differently."""


@dataclass
class _Entry:
    line: int = 0
    fuzzy: bool = False
    parts: dict[str, str] = field(default_factory=dict)


def po_files(language: str) -> list[Path]:
    """The .po files of a language, of the portal and of every service, in a fixed order."""
    root = Path(kulla.__file__).parent
    return sorted(root.glob(f"**/locale/{language}/LC_MESSAGES/django.po"))


def compile_catalogues(folder: Path) -> None:
    """Write `folder`/<language>/LC_MESSAGES/django.mo of each language. Raises CatalogueInvalid."""
    for language in LANGUAGES:
        data = encode_mo(merged(po_files(language)))
        path = folder / language / "LC_MESSAGES" / "django.mo"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Workers start side by side: each replaces the file as a whole, with the same bytes.
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(data)
        partial.replace(path)


def merged(paths: Iterable[Path]) -> dict[str, str]:
    """The texts of several .po files together. Raises CatalogueInvalid where two disagree."""
    texts: dict[str, str] = {}
    for path in paths:
        for source, text in parse_po(path.read_text("utf-8"), place=str(path)).items():
            if source and texts.get(source, text) != text:
                raise CatalogueInvalid(
                    f"{source!r} is translated in another way elsewhere.",
                    place=str(path),
                    remedy="Use one translation, or give one of them a context (msgctxt).",
                )
            texts.setdefault(source, text)
    return texts


def parse_po(text: str, *, place: str = "") -> dict[str, str]:
    """Source texts to translations, keyed as GNU gettext does (context, plurals by NUL).

    Entries that are fuzzy or not translated are left out. Raises CatalogueInvalid with file and
    line for a line that is not of the format.
    """
    texts: dict[str, str] = {}
    for entry in _entries(text, place):
        parts = entry.parts
        translated = [parts[name] for name in sorted(parts) if name.startswith("msgstr")]
        if "msgid" not in parts or entry.fuzzy or not all(translated) or not translated:
            continue
        source = parts["msgid"]
        if "msgid_plural" in parts:
            source += _PLURAL_END + parts["msgid_plural"]
        if "msgctxt" in parts:
            source = parts["msgctxt"] + _CONTEXT_END + source
        texts[source] = _PLURAL_END.join(translated)
    return texts


def _entries(text: str, place: str) -> Iterator[_Entry]:
    entry, name = _Entry(), ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line:
            if entry.parts:
                yield entry
            entry, name = _Entry(line=number), ""
        elif line.startswith("#"):
            entry.fuzzy = entry.fuzzy or (line.startswith("#,") and "fuzzy" in line)
        elif line.startswith('"') and name:
            entry.parts[name] += _quoted(line, place, number)
        else:
            name, _, rest = line.partition(" ")
            if not name.startswith("msg"):
                raise _invalid("this line is neither a text nor a comment", place, number)
            if name in entry.parts:
                raise _invalid("an empty line is missing before this text", place, number)
            entry.parts[name] = _quoted(rest.strip(), place, number)
    if entry.parts:
        yield entry


def _quoted(text: str, place: str, number: int) -> str:
    # The escapes of .po are those of a Python string literal.
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError) as error:
        raise _invalid("this is not a text in double quotes", place, number) from error
    if not text.startswith('"') or not isinstance(value, str):
        raise _invalid("this is not a text in double quotes", place, number)
    return value


def _invalid(why: str, place: str, number: int) -> CatalogueInvalid:
    return CatalogueInvalid(f"{why}.", place=f"{place}:{number}", remedy="Mend the line.")


def encode_mo(texts: dict[str, str]) -> bytes:
    """The compiled form of a catalogue: the GNU gettext .mo format, revision 0, without a hash."""
    items = sorted((source.encode(), text.encode()) for source, text in texts.items())
    tables_at, count = 28, len(items)
    sources_at = tables_at + 16 * count
    texts_at = sources_at + sum(len(source) + 1 for source, _ in items)
    source_table, text_table = [], []
    source_at, text_at = sources_at, texts_at
    for source, text in items:
        source_table.append(struct.pack("<II", len(source), source_at))
        text_table.append(struct.pack("<II", len(text), text_at))
        source_at += len(source) + 1
        text_at += len(text) + 1
    head = struct.pack("<7I", _MAGIC, 0, count, tables_at, tables_at + 8 * count, 0, tables_at)
    bodies = [source + b"\0" for source, _ in items] + [text + b"\0" for _, text in items]
    return b"".join([head, *source_table, *text_table, *bodies])
