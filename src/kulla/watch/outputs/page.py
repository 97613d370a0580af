"""A report as one HTML file: a timeline picture, the rules that found something, and examples.

It needs no other file, no script and no network, and what logs say is never taken as HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, TextIO

from kulla.watch.findings import LEVELS, Account, AnyRule, Detection, Tally, grade, techniques
from kulla.watch.outputs.instants import written
from kulla.watch.outputs.plain import by_technique, plain_fields

EXAMPLES: Final = 5
_FIELDS: Final = 12
_BINS: Final = 120
_WIDTH, _HEIGHT = 960, 150
_COLOURS: Final = {
    "critical": "#7a0f1e",
    "high": "#c0392b",
    "medium": "#d98218",
    "low": "#3f7cac",
    "informational": "#8a949e",
}
_STYLE: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:66rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;
border-bottom:1px solid #8884;vertical-align:top}td.n{text-align:right}
.level{display:inline-block;padding:0 .5rem;border-radius:.3rem;color:#fff}
.loud{border:3px solid #c0392b;padding:.6rem 1rem}
details{margin:.3rem 0}pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
svg{width:100%;height:auto}
"""


class PageFile:
    """Keeps a count a level and time, and a few examples a rule; memory does not grow with more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._examples: dict[str, list[Detection]] = {}
        self._times: dict[tuple[int, str], int] = {}

    def take(self, found: Detection) -> None:
        """See Sink."""
        examples = self._examples.setdefault(found.rule.id, [])
        if len(examples) < EXAMPLES:
            examples.append(found)
        if found.at_us is not None:
            key = (found.at_us // _MINUTE_US, _level(found.rule))
            self._times[key] = self._times.get(key, 0) + 1

    def end(self, account: Account) -> None:
        """See Sink."""
        for part in self._page(account):
            self._stream.write(part + "\n")
        self._stream.flush()

    def _page(self, account: Account) -> Iterator[str]:
        tallies = account.in_order()
        yield '<!doctype html><html lang="en"><meta charset="utf-8">'
        yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
        yield f"<title>What the watch saw</title><style>{_STYLE}</style>"
        yield "<h1>What the watch saw</h1>"
        yield f"<p>{_summary(account)}</p>"
        if account.own_only:
            yield (
                '<p class="loud"><strong>Only Kulla’s own pack of rules ran.</strong> It knows'
                " Kulla itself, one attack and industrial networks. Add others before you trust"
                " this.</p>"
            )
        if account.unfit or account.unreached or account.rejected:
            yield f"<p>{_left_out(account)}</p>"
        yield from _timeline(self._times)
        yield from _rules(tallies, self._examples)
        yield from _techniques(tallies)
        yield from _not_run(account)
        yield "</html>"


_MINUTE_US: Final = 60_000_000


def _level(rule: AnyRule) -> str:
    return LEVELS[grade(rule.level)]


def _summary(account: Account) -> str:
    return (
        f"{account.detections:,} detections by {len(account.tallies):,} rules, in"
        f" {account.events:,} events of {len(account.files):,} files."
        f" {account.rules:,} rules and {account.correlations:,} correlations ran."
    )


def _left_out(account: Account) -> str:
    return (
        f"{len(account.unfit):,} rules could not run, {len(account.unreached):,} are for events"
        f" that nothing read here gives, and {account.rejected:,} records or files could not be"
        " read; all are listed at the end."
    )


def _timeline(times: dict[tuple[int, str], int]) -> Iterator[str]:
    """Bars over time, a colour a level, the gravest at the bottom; and the same in words."""
    if not times:
        return
    first, last = min(minute for minute, _ in times), max(minute for minute, _ in times)
    span = max(last - first + 1, 1)
    bins: dict[int, dict[str, int]] = {}
    for (minute, level), count in times.items():
        bar = bins.setdefault((minute - first) * _BINS // span, {})
        bar[level] = bar.get(level, 0) + count
    most = max(sum(bar.values()) for bar in bins.values())
    begin, end = written(first * _MINUTE_US)[:16], written(last * _MINUTE_US)[:16]
    yield "<h2>When</h2>"
    label = f"Detections from {begin} to {end} UTC, at most {most} in one bar"
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 24}" role="img" aria-label="{label}">'
    for place, bar in sorted(bins.items()):
        yield from _bar(place, bar, most)
    y = _HEIGHT + 18
    yield f'<text x="0" y="{y}" font-size="14" fill="currentColor">{begin} UTC</text>'
    yield (
        f'<text x="{_WIDTH}" y="{y}" font-size="14" text-anchor="end" fill="currentColor">'
        f"{end} UTC</text></svg>"
    )
    totals = {level: sum(bar.get(level, 0) for bar in bins.values()) for level in LEVELS}
    words = ", ".join(f"{totals[level]:,} {level}" for level in reversed(LEVELS) if totals[level])
    yield f"<p>{words}.</p>"


def _bar(place: int, bar: dict[str, int], most: int) -> Iterator[str]:
    width = _WIDTH / _BINS
    bottom = float(_HEIGHT)
    for level in reversed(LEVELS):
        if bar.get(level):
            height = max(bar[level] / most * _HEIGHT, 1.0)
            bottom -= height
            yield (
                f'<rect x="{place * width:.1f}" y="{bottom:.1f}" width="{width - 1:.1f}"'
                f' height="{height:.1f}" fill="{_COLOURS[level]}"/>'
            )


def _rules(tallies: Sequence[Tally], examples: dict[str, list[Detection]]) -> Iterator[str]:
    yield "<h2>Which rules</h2><table><thead><tr><th>Level<th>Rule<th>Techniques"
    yield '<th class="n">Count<th>First and last (UTC)</thead><tbody>'
    for one in tallies:
        level = _level(one.rule)
        times = " – ".join(
            dict.fromkeys(written(at)[:16] for at in (one.first_us, one.last_us) if at is not None)
        )
        yield f'<tr><td><span class="level" style="background:{_COLOURS[level]}">{level}</span>'
        yield f"<td>{escape(one.rule.title)}"
        yield from _examples(examples.get(one.rule.id, ()))
        yield f"<td>{' '.join(techniques(one.rule))}<td class=n>{one.count:,}<td>{times}</tr>"
    yield "</tbody></table>"


def _examples(found: Sequence[Detection]) -> Iterator[str]:
    for one in found:
        place = escape(f"{one.place.file}:{one.place.number}")
        more = f" and {one.count - 1:,} more" if one.count > 1 else ""
        text = "\n".join(f"{name}: {value}" for name, value in plain_fields(one.fields, _FIELDS))
        yield f"<details><summary>{place}{more}</summary><pre>{escape(text)}</pre></details>"


def _techniques(tallies: list[Tally]) -> Iterator[str]:
    yield "<h2>By ATT&amp;CK technique</h2><table><tbody>"
    for name, count in by_technique(tallies).items():
        yield f"<tr><td>{escape(name)}<td class=n>{count:,}</tr>"
    yield "</tbody></table>"


def _not_run(account: Account) -> Iterator[str]:
    for title, rules in (
        ("Rules that could not run", account.unfit),
        ("Rules for events that nothing read here gives", account.unreached),
    ):
        if rules:
            yield f"<h2>{title} ({len(rules):,})</h2><ul>"
            for rule in rules:
                yield f"<li>{escape(rule.title)}: {escape(rule.reason)}</li>"
            yield "</ul>"
    if account.rejected:
        yield f"<h2>What could not be read ({account.rejected:,})</h2><ul>"
        for lost in account.rejects[:200]:
            yield f"<li>{escape(f'{lost.file}:{lost.number}: {lost.reason}')}</li>"
        yield "</ul>"
