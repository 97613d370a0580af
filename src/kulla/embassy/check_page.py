"""The page where anyone checks a receipt, at an embassy and not at home.

Plain HTML for any browser: no script, nothing fetched from elsewhere, nothing kept. What people
hand in is never logged.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import Any, Final
from urllib.parse import urlencode

from kulla.embassy.check_words import WORDS, Language, in_words, why_not
from kulla.embassy.mirror import Mirror, Standing
from kulla.embassy.replies import Reply
from kulla.journal.checkpoints import parse_decimal
from kulla.journal.errors import JournalError, ReceiptInvalid
from kulla.journal.merkle import leaf_hash
from kulla.journal.receipts import (
    RECEIPT_BYTES_MAX,
    Receipt,
    VerifiedReceipt,
    parse_receipt,
    verify_receipt_of_any_time,
)

FORM_BYTES_MAX: Final = 2 * RECEIPT_BYTES_MAX
_ROWS_MAX: Final = 40

_STYLE: Final = """
:root{color-scheme:light dark}
body{font:1.1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:40rem;padding:1rem;
color:#1b1b1b;background:#fff}
a{color:#0b4f9e}
h1{font-size:1.6rem;line-height:1.2}
h2{font-size:1.25rem}
label{display:block;font-weight:600;margin-top:1rem}
textarea,input[type=file]{box-sizing:border-box;width:100%;font:inherit;margin-top:.25rem}
textarea{min-height:8rem;font-family:monospace;font-size:.9rem}
button{font:inherit;font-weight:600;margin-top:1rem;padding:.6rem 1.4rem;border:0;
border-radius:.3rem;background:#0b4f9e;color:#fff}
section{border-left:.4rem solid #5a5a5a;padding:.1rem 1rem;margin:1.5rem 0;background:#f3f3f3}
section.good{border-color:#10692f;background:#e9f6ed}
section.bad{border-color:#a31515;background:#fdeeee}
dt{font-weight:600}
dd{margin:0 0 .6rem;overflow-wrap:anywhere}
:focus-visible{outline:.2rem solid #b35c00;outline-offset:.15rem}
@media (prefers-color-scheme:dark){body{color:#eee;background:#161616}a{color:#8fc1ff}
section{background:#242424}section.good{background:#12291a}section.bad{background:#331414}}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def language_of(chosen: str, accept_language: str) -> Language:
    """Albanian unless the address or the browser asks for English first."""
    if chosen in ("sq", "en"):
        return "en" if chosen == "en" else "sq"
    return "en" if accept_language.strip().lower().startswith("en") else "sq"


class CheckPage:
    """Makes the pages of one embassy. Safe to use from any thread."""

    def __init__(self, mirror: Mirror, language: Language) -> None:
        self._mirror = mirror
        self._language = language
        self._words = WORDS[language]
        self._names = {"name": mirror.identity.name, "tower": mirror.policy.tower}

    def ask(self) -> Reply:
        """The form alone."""
        return self._page(200, "", {})

    def from_link(self, query: Mapping[str, str]) -> Reply:
        """What the QR code of a receipt leads to: origin, index and leaf hash in hex."""
        kept = {key: query[key] for key in ("origin", "index", "leaf") if key in query}
        try:
            index = parse_decimal(query.get("index", ""))
            leaf = bytes.fromhex(query.get("leaf", ""))
        except (ValueError, JournalError):
            return self._page(400, self._box("bad", [self._say("bad_link")]), kept)
        if len(leaf) != 32 or not query.get("origin"):
            return self._page(400, self._box("bad", [self._say("bad_link")]), kept)
        return self._page(200, self._standing(query["origin"], index, leaf), kept)

    def from_receipt(self, data: bytes) -> Reply:
        """The answer to a receipt that somebody handed in."""
        if not data.strip():
            return self._page(400, self._box("bad", [self._say("empty")]), {})
        try:
            receipt = parse_receipt(_as_file(data), place="")
            verified = verify_receipt_of_any_time(receipt, self._mirror.policies())
        except ReceiptInvalid as error:
            why = f"<p>{escape(why_not(error, self._language))}</p>"
            detail = f"<p>{escape(self._words['detail'])}: <code>{escape(str(error))}</code></p>"
            title = f"<h2>{escape(self._words['not_sound'])}</h2>"
            return self._page(422, self._box("bad", [title, why, detail]), {})
        return self._page(200, self._sound(receipt, verified), {})

    def too_large(self) -> Reply:
        """The answer to a form that is far too large for a receipt."""
        return self._page(413, self._box("bad", [self._say("too_large")]), {})

    def _sound(self, receipt: Receipt, verified: VerifiedReceipt) -> str:
        first, last = (in_words(at_s, self._language) for at_s in verified.witnessed_at_s)
        rows = {
            self._words["act"]: f"{verified.act['service']}: {verified.act['act']}",
            self._words["index"]: str(verified.index),
            self._words["origin"]: verified.checkpoint.origin,
            self._words["witnessed"]: first if first == last else f"{first} – {last}",
            self._words["witnesses"]: ", ".join(verified.cosigners),
        }
        said = self._rows(rows)
        what = self._rows(self._data_rows(verified.act["data"]))
        parts = [f"<h2>{escape(self._words['sound'])}</h2>", said]
        if what:
            parts += [f"<h2>{escape(self._words['what'])}</h2>", what]
        parts.append(self._say("then"))
        leaf = leaf_hash(receipt.entry)
        return self._box("good", parts) + self._standing(
            verified.checkpoint.origin, verified.index, leaf
        )

    def _data_rows(self, data: Mapping[str, Any]) -> dict[str, str]:
        rows: dict[str, str] = {}
        for key, value in list(data.items())[:_ROWS_MAX]:
            if isinstance(value, bytes):
                rows[key] = self._words["sealed"].format(count=len(value))
            elif isinstance(value, str | int) and not isinstance(value, bool):
                rows[key] = str(value)[:1000]
        return rows

    def _standing(self, origin: str, index: int, leaf: bytes) -> str:
        standing = self._mirror.standing(origin, index, leaf)
        title = f"<h2>{escape(self._words['here'])}</h2>"
        if standing is None:
            return self._box("bad", [title, self._say("no_log")])
        key = {True: "stands", False: "other", None: "not_yet"}[standing.stands]
        mood = {True: "good", False: "bad", None: "open"}[standing.stands]
        return self._box(
            mood,
            [title, self._say(key, index=index, size=standing.size), self._last(standing)],
        )

    def _last(self, standing: Standing) -> str:
        return self._say("last", size=standing.size, when=in_words(standing.at_s, self._language))

    def _say(self, key: str, **values: object) -> str:
        return f"<p>{escape(self._words[key].format(**self._names, **values))}</p>"

    def _rows(self, rows: Mapping[str, str]) -> str:
        inner = "".join(f"<dt>{escape(key)}</dt><dd>{escape(rows[key])}</dd>" for key in rows)
        return f"<dl>{inner}</dl>" if inner else ""

    def _box(self, mood: str, parts: list[str]) -> str:
        return f'<section class="{mood}">{"".join(parts)}</section>'

    def _page(self, status: int, result: str, query: Mapping[str, str]) -> Reply:
        words, language = self._words, self._language
        other = "en" if language == "sq" else "sq"
        link = escape("check?" + urlencode({**query, "lang": other}))
        html = f"""<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(words["title"])}</title><style>{_STYLE}</style></head>
<body>
<nav><a href="{link}" lang="{other}" hreflang="{other}">{escape(words["language"])}</a></nav>
<main>
<h1>{escape(words["title"])}</h1>
<div role="status">{result}</div>
{self._say("who")}
<form method="post" action="check?lang={language}" enctype="multipart/form-data">
<label for="file">{escape(words["file"])}</label>
<input type="file" id="file" name="file" aria-describedby="hint">
<p id="hint">{escape(words["file_hint"])}</p>
<label for="text">{escape(words["paste"])}</label>
<textarea id="text" name="text" spellcheck="false"></textarea>
<button type="submit">{escape(words["check"])}</button>
</form>
</main>
</body>
</html>
"""
        return Reply(status, html.encode(), "text/html; charset=utf-8", HEADERS)


def _as_file(data: bytes) -> bytes:
    """What was pasted, with the line ends that a form changes put back."""
    return data.replace(b"\r\n", b"\n").strip(b"\n ") + b"\n"
