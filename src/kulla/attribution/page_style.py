"""The style of the desk's pages: one sheet inside the file, light and dark, from 320 px on."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--soft:#f1f2f4;--line:#c3c6cc;
--link:#0b4f9e;--mark:#0b4f9e}
@media (prefers-color-scheme:dark){:root{--ink:#ececec;--paper:#15171a;--soft:#23262b;
--line:#4a4f57;--link:#8fc1ff;--mark:#8fc1ff}}
*{box-sizing:border-box}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem;
color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.3rem;line-height:1.3;margin:2.2rem 0 .5rem;border-top:1px solid var(--line);
padding-top:1.2rem}
h3{font-size:1.05rem;margin:1.4rem 0 .4rem}
a{color:var(--link);overflow-wrap:anywhere}
h1,h2,h3,p,li,dt,dd,summary{overflow-wrap:anywhere}
.said{font-size:1.15rem;border-left:.4rem solid var(--mark);background:var(--soft);
padding:.7rem 1rem;margin:.6rem 0}
.sure{border-left:.4rem solid var(--line);padding:.2rem 1rem;margin:.6rem 0}
.small{font-size:.9rem;font-weight:400}
.scroll{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;font-size:.9rem;min-width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
caption{text-align:left;font-weight:600;padding:.3rem 0}
details{margin:.6rem 0}
summary{cursor:pointer;font-weight:600;padding:.3rem 0}
:focus-visible{outline:.2rem solid #b35c00;outline-offset:.15rem}
dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.2rem 1rem;margin:.5rem 0}
dt{font-weight:600}dd{margin:0}
svg text{font:13px system-ui,sans-serif;fill:var(--ink)}
svg .strong{font-weight:700}
svg .cc{fill:#14663a}svg .c{fill:#bfe3cc}svg .n{fill:#e4e6ea}
svg .i{fill:#f7cfa6}svg .ii{fill:#9c2a10}
svg .on-cc,svg .on-ii{fill:#fff}svg .on-c,svg .on-n,svg .on-i{fill:#1b1b1b}
svg .bar,svg .dot{fill:var(--mark)}svg .axis{stroke:var(--line);fill:none}
svg .ideal{stroke:var(--ink);stroke-dasharray:4 4}svg .whisker{stroke:var(--mark)}
@media (max-width:30rem){dl{grid-template-columns:1fr}dt{margin-top:.4rem}}
@media print{details>*{display:block}}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def page(title: str, body: str) -> str:
    """A whole page around its body: no script, nothing from elsewhere; a policy says so."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; style-src 'sha256-{_HASH}'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def scroll(inner: str, label: str) -> str:
    """A region that scrolls sideways where it must, and that the keyboard reaches."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">{inner}</div>'
    )
