"""Names of states by ISO 3166 code, for sentences; a code that is not here stands for itself."""

from __future__ import annotations

from typing import Final

_NAMES: Final = {
    "AE": "the United Arab Emirates",
    "AL": "Albania",
    "AR": "Argentina",
    "BD": "Bangladesh",
    "BY": "Belarus",
    "CN": "China",
    "CO": "Colombia",
    "ES": "Spain",
    "FR": "France",
    "GB": "the United Kingdom",
    "IL": "Israel",
    "IN": "India",
    "IQ": "Iraq",
    "IR": "Iran",
    "IT": "Italy",
    "KP": "North Korea",
    "KR": "South Korea",
    "KZ": "Kazakhstan",
    "LB": "Lebanon",
    "MA": "Morocco",
    "MX": "Mexico",
    "NG": "Nigeria",
    "PK": "Pakistan",
    "PS": "the Palestinian territories",
    "RO": "Romania",
    "RU": "Russia",
    "SY": "Syria",
    "TN": "Tunisia",
    "TR": "Turkey",
    "TW": "Taiwan",
    "UA": "Ukraine",
    "US": "the United States",
    "VN": "Vietnam",
    "YE": "Yemen",
}


def state_name(code: str) -> str:
    """'Iran' of 'IR'."""
    return _NAMES.get(code, code)
