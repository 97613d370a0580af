"""What a file may be that somebody hands in: three types, known by their content. Pure.

The name's ending and what a browser says of the type count for nothing. A PNG is read chunk by
chunk and a JPEG to its last marker, so that nothing is hung behind a picture; a PDF that brings
code or files along is refused where it says so in the open. What is left is one more reason why
this site never shows a file: it goes out as a download, in a sandbox, under the type found here.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from kulla.services.enrolment.applications.wishes import FILE_BYTES_MAX

NAME_CHARS_MAX: Final = 80
PDF, JPEG, PNG = "application/pdf", "image/jpeg", "image/png"
ENDINGS: Final = {PDF: ".pdf", JPEG: ".jpg", PNG: ".png"}

_PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n"
_PDF_HEAD: Final = re.compile(rb"%PDF-[12]\.[0-9]")
_PDF_ACTIVE: Final = re.compile(
    rb"/(JavaScript|JS|Launch|EmbeddedFiles?|RichMedia|XFA|GoToE|SubmitForm|ImportData)\b"
)
_PDF_END_BYTES: Final = 1024
_SEPARATORS: Final = re.compile(r"[/\\:\x00]")
_UNWANTED: Final = re.compile(r'[<>"|?*;\'`$&%]')


class Unfit(ValueError):
    """A file that is not taken; `code` is empty, too-big, wrong-type, damaged or active."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def media_type_of(content: bytes) -> str:
    """The type of a file by its content. Raises Unfit."""
    if not content:
        raise Unfit("empty")
    if len(content) > FILE_BYTES_MAX:
        raise Unfit("too-big")
    if content.startswith(_PNG_HEAD):
        _check_png(content)
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        _check_jpeg(content)
        return JPEG
    if _PDF_HEAD.match(content):
        _check_pdf(content)
        return PDF
    raise Unfit("wrong-type")


def name_of(typed: str, media_type: str) -> str:
    """A name that is safe in a header and on a disk, with the ending of the type: never a path."""
    last = _SEPARATORS.split(typed)[-1]
    plain = "".join(sign for sign in last if sign.isprintable())
    plain = " ".join(_UNWANTED.sub("", plain).split())
    stem = plain.rpartition(".")[0] if "." in plain else plain
    stem = stem.strip(" .")[: NAME_CHARS_MAX - 4].strip(" .")
    return (stem or "document") + ENDINGS[media_type]


def _check_png(content: bytes) -> None:
    """Chunks with their checks to IEND, and nothing behind it (PNG, third edition, section 5)."""
    at, kinds = len(_PNG_HEAD), list[bytes]()
    while not kinds or kinds[-1] != b"IEND":
        head = content[at : at + 8]
        size = int.from_bytes(head[:4], "big")
        body = content[at + 8 : at + 8 + size]
        check = content[at + 8 + size : at + 12 + size]
        if len(head) < 8 or len(body) < size or len(check) < 4:
            raise Unfit("damaged")
        if zlib.crc32(head[4:] + body) != int.from_bytes(check, "big"):
            raise Unfit("damaged")
        kinds.append(head[4:])
        at += 12 + size
    if at != len(content) or kinds[0] != b"IHDR" or b"IDAT" not in kinds:
        raise Unfit("damaged")


def _check_jpeg(content: bytes) -> None:
    """Segments to the first scan, and the end marker as the last bytes (ITU-T T.81, annex B)."""
    at = 2
    while True:
        while content[at : at + 2] == b"\xff\xff":
            at += 1
        marker = content[at : at + 2]
        if len(marker) < 2 or marker[0] != 0xFF or marker[1] in (0x00, 0xD8, 0xD9):
            raise Unfit("damaged")
        size = int.from_bytes(content[at + 2 : at + 4], "big")
        if size < 2:
            raise Unfit("damaged")
        at += 2 + size
        if marker[1] == 0xDA:  # what follows is the picture itself
            break
    if at >= len(content) or not content.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise Unfit("damaged")


def _check_pdf(content: bytes) -> None:
    """An end where an end must be, and nothing that runs or is carried along."""
    end = content[-_PDF_END_BYTES:].rfind(b"%%EOF")
    if end < 0 or content[-_PDF_END_BYTES:][end + 5 :].strip(b"\r\n\t \0"):
        raise Unfit("damaged")
    # Names may be written with #-escapes: /J#61vaScript.
    if _PDF_ACTIVE.search(_unescaped(content)):
        raise Unfit("active")


def _unescaped(content: bytes) -> bytes:
    if b"#" not in content:
        return content
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), content)
