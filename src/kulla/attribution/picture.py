"""The matrix of competing hypotheses as a picture: SVG that needs no script and no other file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

_CELL: Final = (44, 24)
_LEFT: Final = 150
_TOP: Final = 58
_BAR: Final = 70
_LABEL_MAX: Final = 20
_MEANING: Final = {
    "CC": "very consistent",
    "C": "consistent",
    "N": "neither",
    "I": "inconsistent",
    "II": "very inconsistent",
}


def letters(count: int) -> list[str]:
    """A, B, C, ... for the columns."""
    return [chr(ord("A") + n) for n in range(count)]


def draw(matrix: Mapping[str, Any], title: str) -> str:
    """The picture of a judgement's matrix; columns A, B, ... in the order of the matrix.

    Each cell says its rating in letters as well as by its colour. The bar at a row's end is the
    item's diagnosticity.
    """
    columns, rows = matrix["columns"], matrix["rows"]
    width = _LEFT + len(columns) * _CELL[0] + 14 + _BAR
    height = _TOP + len(rows) * _CELL[1] + 8
    parts = [
        f'<svg class="matrix" role="img" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        _heads(columns),
    ]
    parts += [_row(row, n) for n, row in enumerate(rows)]
    return "".join([*parts, "</svg>"])


def _heads(columns: list[dict[str, Any]]) -> str:
    end = _LEFT + len(columns) * _CELL[0]
    parts = [
        f'<text x="{_LEFT - 8}" y="20" text-anchor="end" class="strong">hypothesis</text>',
        f'<text x="{_LEFT - 8}" y="44" text-anchor="end">inconsistency</text>',
        f'<text x="{end + 14}" y="44">tells apart</text>',
    ]
    for n, (letter, column) in enumerate(zip(letters(len(columns)), columns, strict=True)):
        x = _LEFT + n * _CELL[0] + _CELL[0] // 2
        parts.append(f'<text x="{x}" y="20" text-anchor="middle" class="strong">{letter}</text>')
        value = f"{column['inconsistency']:.1f}"
        parts.append(f'<text x="{x}" y="44" text-anchor="middle">{value}</text>')
    return "".join(parts)


def _row(row: Mapping[str, Any], n: int) -> str:
    y = _TOP + n * _CELL[1]
    label = f"{row['item']} {row['said']}"
    short = label if len(label) <= _LABEL_MAX else f"{label[: _LABEL_MAX - 1]}…"
    parts = [f'<text x="0" y="{y + 16}">{escape(short)}</text>']
    for k, rating in enumerate(row["ratings"]):
        x = _LEFT + k * _CELL[0]
        parts.append(
            f'<rect x="{x + 1}" y="{y + 1}" width="{_CELL[0] - 2}" height="{_CELL[1] - 2}" '
            f'class="{rating.lower()}"><title>{escape(row["item"])}: {_MEANING[rating]}</title>'
            f'</rect><text x="{x + _CELL[0] // 2}" y="{y + 16}" text-anchor="middle" '
            f'class="on-{rating.lower()}">{rating}</text>'
        )
    end = _LEFT + len(row["ratings"]) * _CELL[0] + 14
    long = round(row["diagnosticity"] * _BAR, 1)
    parts.append(f'<rect x="{end}" y="{y + 8}" width="{long}" height="8" class="bar"></rect>')
    return "".join(parts)
