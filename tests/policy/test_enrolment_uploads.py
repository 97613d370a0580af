"""What a file may be: three types by content, whole, with nothing hung behind; a safe name."""

from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.uploads import JPEG, PDF, PNG
from kulla.services.enrolment.applications import upload
from kulla.services.enrolment.applications.upload import Unfit, media_type_of, name_of
from kulla.services.enrolment.applications.wishes import FILE_BYTES_MAX


def test_the_three_types_are_known_by_their_content() -> None:
    assert media_type_of(PDF) == "application/pdf"
    assert media_type_of(JPEG) == "image/jpeg"
    assert media_type_of(PNG) == "image/png"


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


ZIP = b"PK\x03\x04" + bytes(60)
HTML = b"<script>alert(1)</script>"
HEAD = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (PDF.ljust(FILE_BYTES_MAX + 1, b"\n"), "too-big"),
        (HTML, "wrong-type"),
        (b"GIF89a" + bytes(50), "wrong-type"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "wrong-type"),
        (ZIP, "wrong-type"),
        (b"MZ" + bytes(100), "wrong-type"),
        (b"\n" + PDF, "wrong-type"),
        (HTML + PDF, "wrong-type"),
        (PDF[:-6], "damaged"),
        (PDF + HTML, "damaged"),
        (PDF + ZIP, "damaged"),
        (PNG + ZIP, "damaged"),
        (PNG + b"\0", "damaged"),
        (PNG[:-4], "damaged"),
        (PNG[:-6] + b"??????", "damaged"),
        (HEAD, "damaged"),
        (HEAD + chunk(b"IEND"), "damaged"),
        (HEAD + chunk(b"tEXt", HTML) + chunk(b"IDAT") + chunk(b"IEND"), "damaged"),
        (HEAD + struct.pack(">I", 2**31) + b"IHDR", "damaged"),
        (JPEG + ZIP, "damaged"),
        (JPEG + HTML, "damaged"),
        (JPEG[:-2], "damaged"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"\xff\xd8\xff\xe0\x00\x00", "damaged"),
        (b"\xff\xd8\xff", "damaged"),
        (PDF.replace(b"/Pages", b"/JavaScript /Pages"), "active"),
        (PDF.replace(b"/Pages", b"/J#61vaScript /Pages"), "active"),
        (PDF.replace(b"/Pages", b"/Launch /Pages"), "active"),
        (PDF.replace(b"/Pages", b"/EmbeddedFiles /Pages"), "active"),
    ],
)
def test_what_is_something_else_or_two_things_at_once_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Unfit) as refused:
        media_type_of(content)
    assert refused.value.code == code


@given(st.binary(max_size=400), st.sampled_from([b"", HEAD, b"\xff\xd8\xff", b"%PDF-1.7\n"]))
def test_no_bytes_make_it_stumble(content: bytes, head: bytes) -> None:
    with contextlib.suppress(Unfit):
        assert media_type_of(head + content) in upload.ENDINGS


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("certificate.pdf", "certificate.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\ana\\dëshmi e punës.PDF", "dëshmi e punës.pdf"),
        ("evil.pdf.exe", "evil.pdf.pdf"),
        ("a\r\nSet-Cookie: x=1.pdf", "x=1.pdf"),
        ('"quoted".pdf', "quoted.pdf"),
        ("...", "document.pdf"),
        ("", "document.pdf"),
        ("\u202egnp.exe", "gnp.pdf"),
        ("a" * 300 + ".pdf", "a" * 76 + ".pdf"),
        ("null\0byte.pdf", "byte.pdf"),
    ],
)
def test_a_name_is_a_name_and_never_a_path(typed: str, name: str) -> None:
    assert name_of(typed, upload.PDF) == name


@given(st.text(max_size=200))
def test_any_name_is_safe(typed: str) -> None:
    name = name_of(typed, upload.PNG)
    assert name.endswith(".png")
    assert 4 < len(name) <= upload.NAME_CHARS_MAX
    assert name.isprintable()
    assert not set(name) & set('/\\:"<>|?*;')
    assert not name.startswith(".")
