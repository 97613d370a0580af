"""What custodians and operators type around policy, kit and takeover, and what they are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from kulla.cli.main import main
from kulla.embassy.folder import open_embassy
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import parse_policy
from kulla.journal.proposals import collect, parse_proposal
from kulla.keeper.shares import Share, recovery_key_of
from kulla.keeper.wrapping import RecoveryPrivate
from kulla.kernel.edges import SystemClock
from kulla.tower.home import Home
from kulla.tower.place import CopiedHome, check_place, note_moved


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def kulla(*words: object, code: int = 0, typed: str = "") -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words], input=typed)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A country that began: home, kit, and four embassies whose cards lie beside them."""
    words: list[object] = []
    for number in range(4):
        name, url = f"e{number}", f"http://127.0.0.1:{8100 + number}"
        kulla("embassy", "init", tmp_path / name, "--name", name, "--url", url)
        words += ["--embassy", tmp_path / name / f"{name}.card"]
    named = ("--name", "t.example", "--url", "https://t.example", "--kit", tmp_path / "kit")
    kulla("init", tmp_path / "home", *named, *words)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sign(folder: Path, file: Path, number: int, *more: object, code: int = 0) -> Result:
    key = folder / "kit" / "custodians" / f"custodian-{number}.key"
    words = ("--key", key, "--policy", folder / "kit" / "policy", *more)
    return kulla("policy", "sign", file, *words, code=code, typed="y\n")


def test_a_policy_is_shown_in_words(folder: Path) -> None:
    said = kulla("policy", "show", folder / "home" / "policy").output
    for word in ("t.example, version 1", "Fingerprint: ", "3 of 4 embassies", "custodian-2"):
        assert word in said
    shown = json.loads(kulla("policy", "show", folder / "home" / "policy", "--json").output)
    assert (shown["quorum"], shown["custodians_sign"], shown["version"]) == (3, 2, 1)
    assert shown["fingerprint"] in said


def test_a_custodian_s_own_key_comes_into_the_policy(folder: Path) -> None:
    stick = folder / "stick"
    kulla("custodian", "key", stick, "--name", "arta", "--tower", "t.example")
    assert (stick / "arta.key").stat().st_mode & 0o077 == 0
    key = SigningKey.parse((stick / "arta.key").read_text())
    change = ("--add-custodian", stick / "arta.card", "--remove-custodian", "custodian-3")
    kulla("policy", "change", folder / "home" / "policy", *change)
    proposal = parse_proposal((folder / "policy.change").read_bytes())
    assert proposal.custodian(key.verifier) is not None
    sign(folder, folder / "policy.change", 1)
    words = ("--key", stick / "arta.key", "--policy", folder / "kit" / "policy", "--yes")
    kulla("policy", "sign", folder / "policy.change", *words)
    sent = [(name, (folder / f"{name}.signature").read_bytes()) for name in ("custodian-1", "arta")]
    found = collect(proposal, sent)
    assert found.missing == 1, "of the old ones two must"
    sign(folder, folder / "policy.change", 2)
    more = ("custodian-2", (folder / "custodian-2.signature").read_bytes())
    assert collect(proposal, [*sent, more]).missing == 0
    again = kulla("custodian", "key", stick, "--name", "arta", "--tower", "t.example", code=1)
    assert "a key of this name already" in again.output
    assert SigningKey.parse((stick / "arta.key").read_text()).verifier == key.verifier


def test_signing_asks_and_can_be_left(folder: Path) -> None:
    kulla("policy", "change", folder / "home" / "policy", "--custodians-sign", "3")
    file = folder / "policy.change"
    key = folder / "kit" / "custodians" / "custodian-1.key"
    words = ("--key", key, "--policy", folder / "kit" / "policy")
    said = kulla("policy", "sign", file, *words, code=1, typed="n\n").output
    assert "3 custodians must sign; it was 2" in " ".join(said.split())
    assert not (folder / "custodian-1.signature").exists()
    shown = json.loads(sign(folder, file, 1, "--json", "--yes").output)
    assert shown["custodian"] == "custodian-1"
    assert "\N{FULL BLOCK}" in sign(folder, file, 1, "--qr").output
    said = kulla("takeover", "sign", file, *words, code=1).output
    assert "kulla policy sign" in said, "a change is not signed by who means a takeover"


def test_what_is_not_fit_to_be_signed_is_refused(folder: Path) -> None:
    kulla("policy", "change", folder / "home" / "policy", "--custodians-sign", "3")
    file = folder / "policy.change"
    text = file.read_text()
    file.write_text(text.replace("it was 2", "it was 1"))
    assert "its words do not fit" in sign(folder, file, 1, code=1).output
    file.write_text(text)
    reader = folder / "kit" / "reader.key"
    words = ("--key", reader, "--policy", folder / "kit" / "policy", "--yes")
    assert "of no custodian" in kulla("policy", "sign", file, *words, code=1).output
    words = ("--key", folder / "kit" / "policy", "--policy", folder / "kit" / "policy")
    assert "no key can be read here" in kulla("policy", "sign", file, *words, code=1).output
    words = ("--key", folder / "kit" / "custodians" / "custodian-1.key", "--policy", reader)
    kulla("policy", "sign", file, *words, code=1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("--quorum", "2"), "two histories could each find"),
        (("--remove-embassy", "e9"), "names no such embassy"),
        ((), "nothing would change"),
    ],
)
def test_a_change_that_can_t_be_is_refused(folder: Path, change: tuple[str, ...], why: str) -> None:
    said = kulla("policy", "change", folder / "home" / "policy", *change, code=1).output
    assert why in said
    assert not (folder / "policy.change").exists()
    card = ("--replace-embassy", "e1")
    assert (
        "NAME=CARD" in kulla("policy", "change", folder / "home" / "policy", *card, code=2).output
    )


def test_a_takeover_says_what_it_lacks(folder: Path) -> None:
    new, kit = folder / "new", folder / "kit"
    said = kulla("takeover", "plan", new, "--kit", kit, "--reason", "x", code=1).output
    assert "0 of 4 embassies answer; 2 must" in said
    assert not new.exists()
    said = kulla("takeover", "run", new, "--kit", kit, code=1).output
    assert "a takeover needs a reason" in said
    for path in (kit / "custodians").iterdir():
        path.unlink()
    said = kulla("takeover", "run", new, "--kit", kit, code=1).output
    assert "no plan of a takeover" in said
    assert "kulla takeover plan" in said


def test_a_kit_is_checked(folder: Path) -> None:
    kit = folder / "kit"
    report = json.loads(kulla("kit", "check", kit, "--json", code=1).output)
    assert any("lie together" in finding["says"] for finding in report["findings"])
    for path in (kit / "custodians").iterdir():
        path.unlink()
    kulla("kit", "check", kit)
    (kit / "journal.key").write_bytes(b"short")
    assert "journal.key is no key" in kulla("kit", "check", kit, code=2).output
    (kit / "journal.key").unlink()
    assert "it lacks journal.key" in kulla("kit", "check", kit, code=2).output


def test_a_kit_is_brought_up_to_date_from_its_own_home_alone(folder: Path, tmp_path: Path) -> None:
    kit, home = folder / "kit", folder / "home"
    assert "up to date" in kulla("kit", "update", kit, "--home", home).output
    (home / "home.toml").write_text((home / "home.toml").read_text() + "# changed\n")
    assert "home.toml" in kulla("kit", "update", kit, "--home", home).output
    assert (kit / "home.toml").read_bytes() == (home / "home.toml").read_bytes()
    other = (kit / "policy").read_bytes().replace(b"t.example", b"u.example")
    (kit / "policy").write_bytes(other)
    kulla("kit", "update", kit, "--home", home, code=1)
    assert (kit / "policy").read_bytes() == other


def test_printed_pages_come_back_and_custodians_are_apart(folder: Path) -> None:
    kit, pages, back = folder / "kit", folder / "pages", folder / "back"
    kulla("kit", "print", kit, pages)
    assert "not empty" in kulla("kit", "print", kit, pages, code=1).output
    kulla("kit", "read", pages / "kit.txt", "--into", back)
    for name in ("policy", "home.toml", "journal.key", "index.key", "reader.key", "shares"):
        assert (back / name).read_bytes() == (kit / name).read_bytes()
        assert (back / name).stat().st_mode & 0o077 == 0
    kulla("kit", "check", back)
    kulla("kit", "read", pages / "kit.txt", "--into", back)  # once more does no harm
    (back / "index.key").write_bytes(b"x" * 32)
    said = kulla("kit", "read", pages / "kit.txt", "--into", back, code=1).output
    assert "another file of this name" in said
    own = pages / "custodian-custodian-2.txt"
    kulla("kit", "read", own, "--into", folder / "besa")
    assert sorted(path.name for path in (folder / "besa").iterdir()) == [
        "custodian-2.key", "custodian-2.share",
    ]  # fmt: skip
    html = (pages / "kit.html").read_text()
    assert html.count("<section>") == 7
    assert "PRIVATE+KEY" not in html


def test_the_recovery_key_is_split_anew(folder: Path) -> None:
    kit, new = folder / "kit", folder / "new"
    public = (kit / "recovery.pub").read_bytes()
    words = ("--holder", "x", "--holder", "y", "--holder", "z", "--needed", "3", "--out", new)
    old = [kit / "custodians" / f"custodian-{number}.share" for number in (1, 3)]
    said = kulla("kit", "share", kit, *words, "--share", old[0], code=1).output
    assert "1 of the 2 shares" in said
    kulla("kit", "share", kit, *words, "--share", old[0], "--share", old[1])
    shares = [Share.parse(path.read_text()) for path in (new / "custodians").iterdir()]
    assert RecoveryPrivate(recovery_key_of(shares)).public == public
    assert "needed 3" in (new / "shares").read_text()


def test_only_the_same_version_is_pinned_in_another_s_place(folder: Path) -> None:
    embassy, first = folder / "e0", folder / "home" / "policy"
    kulla("embassy", "pin", embassy, first)
    versions = {}
    for name, change in (("one", "--custodians-sign=3"), ("two", "--custodians-sign=1")):
        out = folder / f"{name}.change"
        kulla("policy", "change", first, change, "--out", out)
        for number in (1, 2, 3):
            sign(folder, out, number, "--out", folder / f"{name}-{number}.signature")
        proposal = parse_proposal(out.read_bytes())
        sent = [(str(p), p.read_bytes()) for p in folder.glob(f"{name}-*.signature")]
        versions[name] = folder / name
        versions[name].write_bytes(collect(proposal, sent).policy().render())
    with open_embassy(embassy, SystemClock()) as opened:
        assert opened.mirror.set_policy(versions["one"].read_bytes()).status == 200
        assert opened.mirror.set_policy(versions["two"].read_bytes()).status == 409
    assert (
        "can't take the place"
        in kulla("embassy", "pin", embassy, first, "--instead", code=1).output
    )
    kulla("embassy", "pin", embassy, versions["two"], "--instead")
    with open_embassy(embassy, SystemClock()) as opened:
        assert opened.mirror.policy == parse_policy(versions["two"].read_bytes())


def test_a_home_knows_its_place(folder: Path) -> None:
    home = Home(folder / "home")
    check_place(home)
    check_place(home)
    copied = Home(folder / "copy")
    copied.folder.mkdir()
    (copied.folder / "place").write_bytes((home.folder / "place").read_bytes())
    with pytest.raises(CopiedHome, match="copied, restored or moved"):
        check_place(copied)
    note_moved(copied)
    check_place(copied)
    home.folder.rename(folder / "renamed")
    check_place(Home(folder / "renamed"))  # the same folder under another name
