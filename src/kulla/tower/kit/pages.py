"""The recovery kit's printable pages: plain text, and HTML with QR codes, each key on a page.

The kit's pages hold all that a new home needs but what custodians keep; each custodian's page is a
file of its own. What `kulla kit read` takes is the text of these pages, typed or scanned.
"""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import segno

from kulla.journal.policy_file import PolicyFile
from kulla.journal.proposals import fingerprint
from kulla.tower.home import write_secret
from kulla.tower.kit.folder import PRINTED, check_empty, kit_policy
from kulla.tower.kit.paper import on_paper

CODE_CHARACTERS: Final = 420
_BLANK: Final = "_" * 30
_STYLE: Final = """
body{font:11pt/1.4 sans-serif;margin:0;color:#000;background:#fff}
section{page-break-after:always;break-after:page;padding:12mm;max-width:180mm}
h1{font-size:16pt;margin:0 0 4mm}
pre{font:9.5pt/1.5 monospace;white-space:pre;margin:4mm 0}
pre.words{white-space:pre-wrap}
.codes{display:flex;flex-wrap:wrap;gap:8mm}
.codes svg{width:52mm;height:52mm;break-inside:avoid}
"""

_WHAT: Final = {
    "policy": "The policy file: who is who. No secret; its fingerprint can be compared.",
    "home.toml": "The settings of a home. No secret.",
    "journal.key": "SECRET. Opens the acts in the journal, without personal data.",
    "index.key": "SECRET. By it people are found again by mail address and number.",
    "reader.key": "SECRET. By it embassies know who may read what they hold.",
    "shares": "Who holds shares of the recovery key. No secret.",
    "recovery.key": "SECRET, THE GREATEST. Opens everybody's personal data.",
    "mail.password": "SECRET. The mail server's password.",
    "oidc.secret": "SECRET. The e-ID's client secret.",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One printed page: a title, sentences, and lines that `kulla kit read` takes (or none)."""

    title: str
    words: tuple[str, ...]
    lines: tuple[str, ...] = ()


def print_kit(kit: Path, out: Path, on: str) -> list[Path]:
    """Write all pages of a kit into the folder `out`; their paths. `on` is the day, in words.

    Raises KitInvalid, also where the folder is not empty: no older pages are overwritten.
    """
    check_empty(out)
    policy = kit_policy(kit)
    pages = [_cover(kit, policy, on)]
    pages += [
        Page(f"{policy.tower}: {name}", (_WHAT[name],), tuple(on_paper(name, _data(kit, name))))
        for name in PRINTED
        if (kit / name).exists()
    ]
    written = _write(out, "kit", f"Recovery kit of {policy.tower}", pages)
    for who in policy.custodians:
        own = [
            path
            for path in (kit / "custodians" / f"{who.name}{end}" for end in (".key", ".share"))
            if path.exists()
        ]
        if own:
            leaves = list(_custodians_pages(policy, who.name, own, on))
            written += _write(out, f"custodian-{who.name}", f"Custodian {who.name}", leaves)
    return written


def _data(kit: Path, name: str) -> bytes:
    return (kit / name).read_bytes()


def _cover(kit: Path, policy: PolicyFile, on: str) -> Page:
    settings = tomllib.loads((kit / "home.toml").read_text(encoding="utf-8"))
    words = [
        f"Printed on {on}. Version {policy.version} of the policy, fingerprint "
        f"{fingerprint((kit / 'policy').read_bytes())}.",
        f"People find the portal at {settings.get('public_url', '')}. Passkeys belong to the "
        f"domain {policy.relying_party}: a new home must keep it.",
        "",
        "A new home, on a machine with Kulla and a line to the embassies:",
        "1. Type or scan these pages into text files, then: kulla kit read FILES --into kit",
        f"2. {policy.custodian_threshold} custodians sign, and send their shares, as "
        "docs/OPERATE.md says: kulla takeover plan, sign, run",
        "3. Point the domain's name at the new machine.",
        "",
        "Fill in by hand, and check twice a year:",
        f"Name service (who, account, password)   {_BLANK}",
        f"Certificate authority                   {_BLANK}",
        f"Mail provider (home.toml has the rest)  {_BLANK}",
        f"e-ID provider                           {_BLANK}",
        f"Payment provider, account, credentials  {_BLANK}",
        f"Where the other copies of this kit are  {_BLANK}",
        "",
        "Embassies, and whom to call there:",
        *(f"{each.name:<14} {each.url:<36} {_BLANK}" for each in policy.embassies),
        "",
        f"Custodians ({policy.custodian_threshold} of {len(policy.custodians)} must sign), and "
        "their telephones:",
        *(f"{who.name:<14} {_BLANK}" for who in policy.custodians),
    ]
    return Page(f"Recovery kit of {policy.tower}", tuple(words))


def _custodians_pages(
    policy: PolicyFile, name: str, own: Sequence[Path], on: str
) -> Iterator[Page]:
    said = {
        ".key": "SECRET. With it you sign takeovers and changes of the policy. Nobody else may "
        "ever have it, not at home and not at an embassy.",
        ".share": "SECRET. Your share of the recovery key. It goes to a new home alone, with your "
        "signature: kulla takeover sign does that.",
    }
    telephones = [who.name for who in policy.custodians if who.name != name]
    for path in own:
        words = (
            said[path.suffix],
            f"You are {name}, custodian of {policy.tower}. Printed on {on}.",
            "Sign only what you have heard of by your own ears: call the others, compare the "
            "fingerprint.",
            *(f"{other:<14} {_BLANK}" for other in telephones),
        )
        lines = tuple(on_paper(path.name, path.read_bytes()))
        yield Page(f"Custodian {name}: {path.name}", words, lines)


def _write(out: Path, name: str, title: str, pages: Sequence[Page]) -> list[Path]:
    text = "\f".join("".join(f"{line}\n" for line in _text(page)) for page in pages)
    html = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        *map(_html, pages),
        "</body></html>\n",
    ]
    paths = [out / f"{name}.txt", out / f"{name}.html"]
    write_secret(paths[0], text.encode())
    write_secret(paths[1], "\n".join(html).encode())
    return paths


def _text(page: Page) -> Iterator[str]:
    yield page.title
    yield "=" * len(page.title)
    yield ""
    for sentence in page.words:
        yield from [sentence] if _BLANK in sentence else textwrap.wrap(sentence, 78) or [""]
    yield ""
    yield from page.lines


def _html(page: Page) -> str:
    words = escape("\n".join(page.words))
    lines = escape("\n".join(page.lines))
    codes = "".join(_code(text) for text in _parts(page.lines))
    body = f'<pre>{lines}</pre><div class="codes">{codes}</div>' if page.lines else ""
    head = f'<h1>{escape(page.title)}</h1><pre class="words">{words}</pre>'
    return f"<section>{head}{body}</section>"


def _parts(lines: Sequence[str]) -> Iterator[str]:
    """The lines in as many texts as codes that a phone reads well; each begins with the head."""
    if not lines:
        return
    head, *rest = lines
    part: list[str] = [head]
    for line in rest:
        if sum(len(each) + 1 for each in (*part, line)) > CODE_CHARACTERS and line[:3] != "  +":
            yield "\n".join(part)
            part = [head]
        part.append(line)
    yield "\n".join(part)


def _code(text: str) -> str:
    svg: str = segno.make(text, error="m", micro=False).svg_inline(border=2, omitsize=True)
    return svg
