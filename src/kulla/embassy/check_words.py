"""The words of the check page, in Albanian and English. Every key stands in both."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from kulla.journal.errors import (
    ReceiptCommitmentWrong,
    ReceiptCosignatureWrong,
    ReceiptInclusionWrong,
    ReceiptInvalid,
    ReceiptLogUnsigned,
    ReceiptMalformed,
    ReceiptUnwitnessed,
)

Language = Literal["sq", "en"]

ZONE: Final = ZoneInfo("Europe/Tirane")

_MONTHS: Final[dict[Language, str]] = {
    "sq": "janar shkurt mars prill maj qershor korrik gusht shtator tetor nëntor dhjetor",
    "en": "January February March April May June July August September October November December",
}
_ZONE_NAME: Final[dict[Language, str]] = {"sq": "ora e Tiranës", "en": "Tirana time"}

ENGLISH: Final[dict[str, str]] = {
    "title": "Check a receipt",
    "who": "This page belongs to the embassy “{name}” of “{tower}”. It is run outside the offices "
    "that gave you the receipt, and keeps its own copy of their journal.",
    "file": "The receipt file",
    "file_hint": "It ends in .tlog-proof. It is read here and not kept.",
    "paste": "Or paste the text of the receipt",
    "check": "Check",
    "sound": "This receipt is sound",
    "not_sound": "This receipt does not hold",
    "what": "What it says",
    "act": "Act",
    "index": "Number in the journal",
    "origin": "Journal",
    "witnessed": "Witnessed",
    "witnesses": "Witnesses",
    "sealed": "sealed ({count} bytes)",
    "then": "It proves that this stood in the journal then. A later act may have changed it, for "
    "example a cancellation.",
    "here": "In this embassy’s own copy",
    "stands": "The entry stands here, at number {index}.",
    "other": "Another entry stands here at number {index}. Keep your receipt and tell a custodian "
    "of “{tower}”: this must not be.",
    "not_yet": "This embassy has {size} entries so far, and number {index} is not among them yet. "
    "Try again in a minute. If it stays so, tell a custodian of “{tower}”.",
    "no_log": "This embassy does not hold a journal of this name. Check the address; if it came "
    "from a receipt, tell a custodian of “{tower}”.",
    "last": "Its last signature: {size} entries, {when}.",
    "bad_link": "This address is not complete. Scan the code on the receipt again, or choose the "
    "file below.",
    "empty": "No receipt came with this. Choose the file, or paste its text, and check again.",
    "too_large": "This file is too large for a receipt. Choose the one that ends in .tlog-proof.",
    "detail": "For a technician",
    "language": "Shqip",
}

ALBANIAN: Final[dict[str, str]] = {
    "title": "Kontrolloni një vërtetim",
    "who": "Kjo faqe është e ambasadës “{name}” të “{tower}”. Ajo mbahet jashtë zyrave që ju dhanë "
    "vërtetimin dhe ka kopjen e vet të ditarit të tyre.",
    "file": "Skedari i vërtetimit",
    "file_hint": "Mbaron me .tlog-proof. Lexohet këtu dhe nuk ruhet.",
    "paste": "Ose ngjitni tekstin e vërtetimit",
    "check": "Kontrollo",
    "sound": "Vërtetimi është i saktë",
    "not_sound": "Vërtetimi nuk qëndron",
    "what": "Çfarë thotë",
    "act": "Akti",
    "index": "Numri në ditar",
    "origin": "Ditari",
    "witnessed": "Dëshmuar",
    "witnesses": "Dëshmitarët",
    "sealed": "i vulosur ({count} bajte)",
    "then": "Ai provon se kjo ishte në ditar në atë kohë. Një akt i mëvonshëm mund ta ketë "
    "ndryshuar, për shembull një anulim.",
    "here": "Në kopjen e kësaj ambasade",
    "stands": "Shënimi është këtu, me numrin {index}.",
    "other": "Këtu me numrin {index} është një shënim tjetër. Ruajeni vërtetimin dhe njoftoni një "
    "kujdestar të “{tower}”: kjo nuk duhet të ndodhë.",
    "not_yet": "Kjo ambasadë ka deri tani {size} shënime; numri {index} nuk është ende mes tyre. "
    "Provoni përsëri pas një minute. Nëse vazhdon kështu, njoftoni një kujdestar të “{tower}”.",
    "no_log": "Kjo ambasadë nuk mban një ditar me këtë emër. Kontrolloni adresën; nëse erdhi nga "
    "një vërtetim, njoftoni një kujdestar të “{tower}”.",
    "last": "Nënshkrimi i fundit: {size} shënime, {when}.",
    "bad_link": "Kjo adresë nuk është e plotë. Skanoni përsëri kodin e vërtetimit ose zgjidhni "
    "skedarin më poshtë.",
    "empty": "Nuk erdhi asnjë vërtetim. Zgjidhni skedarin ose ngjitni tekstin dhe kontrolloni "
    "përsëri.",
    "too_large": "Ky skedar është tepër i madh për një vërtetim. Zgjidhni atë që mbaron me "
    ".tlog-proof.",
    "detail": "Për teknikun",
    "language": "English",
}

WORDS: Final[dict[Language, dict[str, str]]] = {"sq": ALBANIAN, "en": ENGLISH}

_FAILED: Final[dict[type[ReceiptInvalid], tuple[str, str]]] = {
    ReceiptMalformed: (
        "Ky nuk është një vërtetim i plotë, ose është dëmtuar. Merreni përsëri nga shërbimi që "
        "jua dha.",
        "This is not a whole receipt, or it was damaged. Fetch it again from where it came.",
    ),
    ReceiptCommitmentWrong: (
        "Akti që tregon vërtetimi nuk është ai për të cilin u lëshua. Dikush e ka ndryshuar: mos u "
        "mbështetni tek ai.",
        "The act that it shows is not the one it was issued for. Somebody changed it: don’t rely "
        "on it.",
    ),
    ReceiptLogUnsigned: (
        "Vërtetimi nuk është nënshkruar nga ditari i kësaj kulle. Mos u mbështetni tek ai.",
        "It is not signed by a journal of this tower. Don’t rely on it.",
    ),
    ReceiptCosignatureWrong: (
        "Nënshkrimi i një ambasade nuk përputhet. Dikush e ka ndryshuar vërtetimin: mos u "
        "mbështetni tek ai.",
        "An embassy’s signature does not fit. Somebody changed the receipt: don’t rely on it.",
    ),
    ReceiptUnwitnessed: (
        "E kanë dëshmuar shumë pak ambasada. Kërkojeni vërtetimin përsëri pas pak.",
        "Too few embassies have witnessed it. Ask for the receipt again in a moment.",
    ),
    ReceiptInclusionWrong: (
        "Akti nuk është në ditar aty ku thotë vërtetimi. Mos u mbështetni tek ai.",
        "The act is not in the journal where the receipt says. Don’t rely on it.",
    ),
}


def why_not(error: ReceiptInvalid, language: Language) -> str:
    """What is wrong with a receipt and what to do, in the reader's language."""
    albanian, english = _FAILED.get(type(error), _FAILED[ReceiptMalformed])
    return albanian if language == "sq" else english


def in_words(at_s: int, language: Language) -> str:
    """An instant (seconds since 1970) as a date in words and a time with its zone."""
    at = datetime.fromtimestamp(at_s, ZONE)
    month = _MONTHS[language].split()[at.month - 1]
    return f"{at.day} {month} {at.year}, {at:%H:%M} ({_ZONE_NAME[language]})"
