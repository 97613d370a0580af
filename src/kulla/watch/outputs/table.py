"""What a scan found, for a terminal: loudest first, in lines that fit."""

from __future__ import annotations

from collections.abc import Iterator

from kulla.watch.findings import Account, Tally, techniques
from kulla.watch.outputs.instants import written

ROWS_MAX = 60


def lines(account: Account, rows_max: int = ROWS_MAX) -> Iterator[str]:
    """The table of rules that found something, and below it what a reader must know."""
    tallies = account.in_order()
    if tallies:
        yield f"{'level':13} {'count':>7}  {'first seen (UTC)':20} rule"
    for one in tallies[:rows_max]:
        yield _row(one)
    if len(tallies) > rows_max:
        rest = sum(one.count for one in tallies[rows_max:])
        yield f"... and {len(tallies) - rows_max} more rules with {rest} detections (see --json)"
    yield ""
    yield from _end(account)


def _row(one: Tally) -> str:
    first = written(one.first_us)[:19].replace("T", " ")
    names = " ".join(techniques(one.rule))
    title = f"{one.rule.title}  [{names}]" if names else one.rule.title
    return f"{one.rule.level or '?':13} {one.count:7}  {first:20} {title}"


def _end(account: Account) -> Iterator[str]:
    rate = account.events / account.seconds if account.seconds else 0
    yield (
        f"{account.events:,} events of {len(account.files):,} files"
        f" ({account.bytes / 1e6:,.1f} MB) in {account.seconds:.1f} s: {rate:,.0f} a second."
        f" {account.detections:,} detections by {len(account.tallies):,} rules."
    )
    asked = f"{account.rules:,} rules and {account.correlations:,} correlations ran"
    if account.unfit:
        yield f"{asked}; {len(account.unfit):,} could not: kulla watch rules list says why."
    else:
        yield f"{asked}."
    if account.unreached:
        yield (
            f"{len(account.unreached):,} rules are for events that nothing read here gives:"
            " kulla watch rules list names them."
        )
    if account.own_only:
        yield (
            "ONLY KULLA'S OWN PACK RAN. It knows Kulla itself, one attack and industrial networks;"
            " add SigmaHQ's rules: kulla watch rules add PATH"
        )
    if account.rejected:
        first = account.rejects[0]
        place = f"{first.file}:{first.number}" if first.number else first.file
        yield (
            f"{account.rejected:,} records or files could not be read; the first is {place}:"
            f" {first.reason} (--json has them)"
        )
    if account.untimed:
        yield f"{account.untimed:,} events without a time are in no correlation."
