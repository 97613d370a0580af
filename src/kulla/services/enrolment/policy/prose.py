"""A round's rules in sentences, English or Albanian, for files that stand by themselves. Pure.

The portal's pages say the same in their own words, through their catalogues.
"""

from __future__ import annotations

from typing import Final, Literal

from kulla.services.enrolment.policy.rules import Pool, Priority, Rules

Language = Literal["en", "sq"]

_WHERE: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "school": "at the school that it names",
        "area": "at the schools of the catchment that it names",
        "anywhere": "at every school",
        "programme": "at the programme that it names",
    },
    "sq": {
        "school": "në shkollën që përmend",
        "area": "në shkollat e zonës që përmend",
        "anywhere": "në çdo shkollë",
        "programme": "në programin që përmend",
    },
}

_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "choices": "A family ranks as many programmes as it likes, the best first.",
        "choices_max": "A family ranks at most {count} programmes, the best first.",
        "time": "When an application comes in, within the days, makes no difference.",
        "classes": "Where more children want a programme than it has seats, these come first, "
        "in this order:",
        "class": "{place}. {title}; it counts {where}{document}.",
        "document": ", with a document that a clerk has seen",
        "none": "Then all other children.",
        "no_classes": "No child comes before another but by lottery.",
        "pool_open": "Seats kept for '{title}' are filled with children who have a claim to them; "
        "what stays free goes to everybody.",
        "pool_stay": "Seats kept for '{title}' are for children who have a claim to them alone; "
        "what stays free stays free.",
        "single": "Among children who stand alike a lottery decides: each child has one number for "
        "all programmes, and the smaller one comes first.",
        "multiple": "Among children who stand alike a lottery decides: each child has a number of "
        "its own for each programme, and the smaller one comes first.",
        "together": "Grades are settled from the highest to the lowest. A child whose older "
        "brother or sister was placed at a school has the sibling priority there; where the "
        "family asked for them to be together, that school moves to the head of the child's list. "
        "Brothers and sisters who all ask for it share one number.",
        "ages": "Grade {grade}: born from {first} to {last}.",
        "best": "A family with one child in the round gains nothing by ranking programmes in any "
        "order but the true one.",
    },
    "sq": {
        "choices": "Familja rendit sa programe të dojë, më i miri i pari.",
        "choices_max": "Familja rendit deri në {count} programe, më i miri i pari.",
        "time": "Kur vjen aplikimi, brenda ditëve të caktuara, nuk ka rëndësi.",
        "classes": "Kur një program e duan më shumë fëmijë se vendet që ka, këta vijnë të parët, "
        "në këtë radhë:",
        "class": "{place}. {title}; vlen {where}{document}.",
        "document": ", me një dokument që e ka parë një nëpunës",
        "none": "Pastaj të gjithë fëmijët e tjerë.",
        "no_classes": "Asnjë fëmijë nuk vjen para tjetrit, veçse me short.",
        "pool_open": "Vendet e ruajtura për '{title}' u jepen fëmijëve që kanë të drejtë për to; "
        "ato që mbeten bosh u jepen të gjithëve.",
        "pool_stay": "Vendet e ruajtura për '{title}' janë vetëm për fëmijët që kanë të drejtë për "
        "to; ato që mbeten bosh, mbeten bosh.",
        "single": "Mes fëmijëve të barabartë vendos shorti: çdo fëmijë ka një numër për të gjitha "
        "programet, dhe numri më i vogël vjen i pari.",
        "multiple": "Mes fëmijëve të barabartë vendos shorti: çdo fëmijë ka një numër të vetin për "
        "çdo program, dhe numri më i vogël vjen i pari.",
        "together": "Klasat zgjidhen nga më e larta te më e ulëta. Fëmija që ka vëlla a motër më "
        "të madhe të vendosur në një shkollë ka atje përparësinë e vëllezërve e motrave; kur "
        "familja i ka kërkuar bashkë, ajo shkollë kalon në krye të listës së fëmijës. "
        "Vëllezërit e motrat që e kërkojnë të gjithë kanë një numër të përbashkët.",
        "ages": "Klasa {grade}: të lindur nga {first} deri më {last}.",
        "best": "Familja me një fëmijë në këtë raund nuk fiton asgjë duke i renditur programet "
        "ndryshe nga sa i do me të vërtetë.",
    },
}


def prose(rules: Rules, language: Language) -> list[str]:
    """The rules, one sentence or numbered line an item. Titles stand as the ministry wrote them."""
    words = _WORDS[language]
    limit = "choices_max" if rules.choices_max else "choices"
    told = [words[limit].format(count=rules.choices_max), words["time"]]
    if rules.priorities:
        told.append(words["classes"])
        told += [_class(one, at, language) for at, one in enumerate(rules.priorities, 1)]
        told.append(words["none"])
    else:
        told.append(words["no_classes"])
    told += [_pool(pool, language) for pool in rules.pools if pool.priority]
    told.append(words[rules.tie_break])
    if rules.siblings_together:
        told.append(words["together"])
    told += [
        words["ages"].format(grade=grade, first=first, last=last)
        for grade, first, last in rules.ages
    ]
    if not rules.choices_max:
        told.append(words["best"])
    return told


def _class(one: Priority, place: int, language: Language) -> str:
    words = _WORDS[language]
    return words["class"].format(
        place=place,
        title=one.title,
        where=_WHERE[language][one.where],
        document=words["document"] if one.document else "",
    )


def _pool(pool: Pool, language: Language) -> str:
    return _WORDS[language][f"pool_{pool.unfilled}"].format(title=pool.title)
