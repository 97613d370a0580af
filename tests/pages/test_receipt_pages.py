"""Receipts of one's own acts, and the page that tells a genuine one from all others."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from fakes.portal import Visitor, words_of
from fakes.signers import MadeUpTower, receipt_of
from kulla.journal.policy_file import parse_policy
from kulla.journal.receipts import verify_receipt


@pytest.fixture
def receipt(country, ana) -> bytes:
    """The file of Ana's booking, as she downloads it."""
    ana.book(country.slot())
    position = country.tower.witnessing().size - 1
    answer = ana.get(f"/receipts/{position}/file")
    assert answer["Content-Disposition"] == f'attachment; filename="kulla-{position}.tlog-proof"'
    return answer.content


def _check(file: bytes | None = None, text: str = "", language: str = "en"):
    fields = {"text": text}
    if file is not None:
        fields["file"] = SimpleUploadedFile("r.tlog-proof", file)
    return Visitor(language=language).post("/check", fields)


def test_the_file_verifies_with_nothing_but_the_policy_file(country, receipt, tmp_path):
    verified = verify_receipt(receipt, parse_policy((tmp_path / "policy").read_bytes()))
    assert verified.act["act"] == "booked"
    assert verified.act["data"]["citizen"] == country.citizens[0]


def test_the_code_of_the_page_leads_to_an_embassy_and_not_to_us(country, ana, receipt):
    position = country.tower.witnessing().size - 1
    page = ana.get(f"/receipts/{position}").content.decode()
    drawn = ana.get(f"/receipts/{position}/qr.svg")
    assert drawn["Content-Type"] == "image/svg+xml"
    assert drawn.content.startswith(b"<svg")
    links = [part.partition('"')[0] for part in page.split('href="')[1:] if "/check?" in part]
    links = [urlsplit(link.replace("&amp;", "&")) for link in links]
    assert {link.hostname for link in links} == {f"embassy-{n}.example" for n in range(1, 5)}
    query = parse_qs(links[0].query)
    assert query["index"] == [str(position)]
    assert query["origin"] == ["journal.kulla.example/1"]
    assert len(bytes.fromhex(query["leaf"][0])) == 32
    assert query["leaf"][0] in page.partition("Leaf hash")[2]


def test_a_receipt_comes_only_once_the_act_is_witnessed(country, ana):
    country.tower.held = True
    ana.book(country.slot())
    position = country.tower.witnessing().size - 1
    for address in (f"/receipts/{position}", f"/receipts/{position}/file"):
        answer = ana.get(address)
        assert answer.status_code == 202
        assert "This act is being confirmed" in words_of(answer)
    assert ana.get(f"/receipts/{position}/qr.svg").status_code == 404
    country.tower.let_go()
    assert ana.get(f"/receipts/{position}/file").content.startswith(b"c2sp.org/tlog-proof@v1\n")


@pytest.mark.parametrize("position", ["999", "9" * 30, "0", "-1", "x"])
def test_a_receipt_that_is_not_ones_own_is_not_found(country, ana, position):
    assert ana.get(f"/receipts/{position}").status_code == 404


def test_a_silent_tower_is_not_mistaken_for_a_receipt_that_is_not_there(country, ana, receipt):
    country.tower.silent = True
    assert ana.get(f"/receipts/{country.tower.keys.n}").status_code == 503


def test_a_genuine_receipt_is_called_so_with_its_act_and_its_witnesses(receipt):
    for answer in (_check(receipt), _check(text=receipt.decode())):
        assert answer.status_code == 200
        said = words_of(answer)
        assert "This receipt is genuine" in said
        assert "3 embassies signed" in said
        assert "An appointment was booked" in said
        assert "Tuesday 3 February 2026, 10:00 (Tirana time, UTC+1)" in said
        assert "Whether it still holds it can't say" in said
        assert "https://embassy-1.example/check?" in answer.content.decode()


def test_a_receipt_cut_short_anywhere_is_not_genuine(receipt):
    for length in [*range(0, len(receipt), 97), len(receipt) - 1]:
        answer = _check(receipt[:length])
        assert answer.status_code == 422, length
        assert "This receipt is genuine" not in words_of(answer)


def _with_act_changed(receipt: bytes) -> bytes:
    lines = receipt.split(b"\n")
    extra = base64.b64decode(lines[1].removeprefix(b"extra "))
    lines[1] = b"extra " + base64.b64encode(extra.replace(b"citizen", b"citizem"))
    return b"\n".join(lines)


def _without_cosigners(receipt: bytes) -> bytes:
    head, note = receipt.split(b"\n\n", 1)
    text, _, signatures = note.partition(b"\n\n")
    return head + b"\n\n" + text + b"\n\n" + signatures.splitlines()[0] + b"\n"


def _with_a_false_cosigner(receipt: bytes) -> bytes:
    head, _, last = receipt.rstrip(b"\n").rpartition(b"\n")
    name, _, signature = last.rpartition(b" ")
    raw = bytearray(base64.b64decode(signature))
    raw[-1] ^= 1
    return head + b"\n" + name + b" " + base64.b64encode(raw) + b"\n"


FAULTS = {
    "malformed": (lambda data: b"\x00\xff" * 40, "can't be read as a receipt"),
    "changed": (_with_act_changed, "What this receipt says was changed"),
    "moved": (
        lambda data: data.replace(b"\nindex ", b"\nindex 1", 1),
        "not where this receipt says",
    ),
    "unwitnessed": (_without_cosigners, "Too few embassies signed"),
    "forged": (_with_a_false_cosigner, "An embassy's signature on this receipt is false"),
    "foreign": (
        lambda data: receipt_of(MadeUpTower(seed=2), ["embassy-1", "embassy-2", "embassy-3"]),
        "does not come from this tower",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_receipt_has_its_own_words(receipt, fault):
    spoil, said = FAULTS[fault]
    spoiled = spoil(receipt)
    assert spoiled != receipt
    answer = _check(spoiled)
    assert answer.status_code == 422
    assert said in words_of(answer)
    assert "An appointment was booked" not in words_of(answer)


def test_nothing_given_is_said_so_and_a_wrong_text_is_kept(country):
    assert "No receipt was given" in words_of(_check())
    answer = _check(text="<b>not a receipt</b>")
    assert "can't be read" in words_of(answer)
    assert "&lt;b&gt;not a receipt&lt;/b&gt;</textarea>" in answer.content.decode()


def test_a_file_that_is_too_big_is_not_read(country):
    assert "too big to be a receipt" in words_of(_check(b"x" * (800 * 1024)))
    answer = _check(b"x" * (1100 * 1024))
    assert answer.status_code == 413
    assert "Kjo është shumë e madhe" in words_of(answer)


def test_a_printed_code_that_leads_here_is_sent_on_to_the_embassies(country):
    query = f"?origin=journal.kulla.example/1&index=4&leaf={'ab' * 32}"
    page = Visitor().get(f"/check{query}")
    assert "You came with the code of a printed receipt" in words_of(page)
    assert "https://embassy-2.example/check?origin=" in page.content.decode()
    for odd in ("?origin=x&index=-1&leaf=" + "ab" * 32, "?origin=x&index=1&leaf=<script>"):
        assert "printed receipt" not in words_of(Visitor().get(f"/check{odd}"))
