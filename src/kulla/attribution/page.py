"""The page of a judgement: one HTML file for a person to read, print and hand on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from kulla.attribution.page_style import page, scroll
from kulla.attribution.picture import draw, letters
from kulla.attribution.scales import CREDIBILITY, RELIABILITY

_STEP_TITLES: Final = {"cluster": "Cluster", "group": "Group", "state": "State"}


def judgement_page(record: Mapping[str, Any]) -> str:
    """The page of a record (see `record.py`). Everything that people typed is escaped."""
    incident, judgement = record["incident"], record["judgement"]
    day = judgement["known_at"]
    known = f"what was known on {day}" if day else "all that its file says"
    parts = [
        f"<h1>Who was behind it: {escape(incident['name'])}</h1>",
        f"<p>{escape(incident['question'])} Judged with {escape(known)}{_by(incident)}.</p>",
        _summary(judgement),
        *(_step(name, step) for name, step in judgement["steps"].items()),
        _changes(judgement),
        _outlook(judgement),
        _dissent(judgement),
        _elsewhere(judgement),
        _evidence(judgement),
        _ground(record),
    ]
    return page(f"Who was behind it: {incident['name']}", "\n".join(part for part in parts if part))


def _by(incident: Mapping[str, Any]) -> str:
    return f", by {escape(incident['analyst'])}" if incident["analyst"] else ""


def _summary(judgement: Mapping[str, Any]) -> str:
    rows = [
        f"<h2>{_STEP_TITLES[name]}: {escape(step['question'])}</h2>"
        f'<p class="said">{escape(step["likelihood"])}</p>'
        f'<p class="sure">{escape(step["confidence"])}</p>'
        for name, step in judgement["steps"].items()
    ]
    return "\n".join(rows)


def _step(name: str, step: Mapping[str, Any]) -> str:
    title = _STEP_TITLES[name].lower()
    matrix = step["matrix"]
    legend = "".join(
        f"<li><strong>{letter}</strong>: {escape(column['label'])}, "
        f"inconsistency {column['inconsistency']:.2f}</li>"
        for letter, column in zip(letters(len(matrix["columns"])), matrix["columns"], strict=True)
    )
    picture = draw(matrix, f"Matrix of competing hypotheses for the {title}")
    ceiling = step["ceiling"]
    return "\n".join(
        [
            f"<h2>How the {title} stands</h2>",
            f"<p>{escape(ceiling['sentence'])}</p>",
            _hypotheses(name, step["hypotheses"]),
            f"<h3>Competing hypotheses for the {title}</h3>",
            "<p>The least inconsistent stands first. CC very consistent, C consistent, N neither, "
            "I inconsistent, II very inconsistent. The bar shows how far an item tells the "
            "hypotheses apart.</p>",
            f'<ul class="small">{legend}</ul>',
            scroll(picture, f"Matrix picture, {title}"),
            f"<details><summary>The matrix of the {title} as a table</summary>"
            f"{_matrix_table(matrix, title)}</details>",
        ]
    )


def _hypotheses(name: str, hypotheses: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for one in hypotheses:
        more = _shared(one) if "shared" in one else ""
        more += _small("items that speak for it", ", ".join(one["supported_by"]))
        through = one.get("through", [])
        more += _small("through", ", ".join(f"{g['label']} {g['weighed']:.3f}" for g in through))
        rows.append(
            f'<tr><th scope="row">{escape(one["label"])}{more}</th>'
            f"<td>{escape(one['word'])}</td>"
            f'<td class="n">{one["weighed"]:.3f}</td><td class="n">{one["score"]:.3f}</td></tr>'
        )
    head = (
        '<tr><th scope="col">hypothesis</th><th scope="col">likelihood</th>'
        '<th scope="col" class="n">all evidence</th>'
        '<th scope="col" class="n">overlap alone</th></tr>'
    )
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    return scroll(table, f"Hypotheses, {_STEP_TITLES[name].lower()}")


def _small(what: str, text: str) -> str:
    return f'<br><span class="small">{what}: {escape(text)}</span>' if text else ""


def _shared(one: Mapping[str, Any]) -> str:
    """What a group shares with the incident, by which reports of which release."""
    items = ", ".join(f"{item['id']} {item['name']}" for item in one["shared"])
    reports = "; ".join(
        f"‘{report['citation']}’" + (f" ({report['year']})" if report["year"] else "")
        for report in one["reports"]
    )
    more = f" and {one['more_reports']} more" if one["more_reports"] else ""
    said = f"{items}, by {reports}{more}" if items else "nothing"
    return _small(f"shares, by {escape(one['release'])}", said)


def _matrix_table(matrix: Mapping[str, Any], title: str) -> str:
    heads = "".join(f'<th scope="col">{letter}</th>' for letter in letters(len(matrix["columns"])))
    rows = "".join(
        f'<tr><th scope="row">{escape(row["item"])}</th><td>{escape(row["said"])}</td>'
        + "".join(f"<td>{rating}</td>" for rating in row["ratings"])
        + f'<td class="n">{row["weight"]:.2f}</td>'
        f'<td class="n">{row["diagnosticity"]:.2f}</td></tr>'
        for row in matrix["rows"]
    )
    head = (
        f'<tr><th scope="col">item</th><th scope="col">what</th>{heads}'
        '<th scope="col" class="n">weight</th><th scope="col" class="n">tells apart</th></tr>'
    )
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return scroll(table, f"Matrix table, {title}")


def _changes(judgement: Mapping[str, Any]) -> str:
    found = judgement["changes"]
    if not found:
        return "<h2>What it hangs on</h2><p>No single item or report moves an answer.</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(one["kind"])} {escape(one["without"])}</th>'
        f"<td>{escape(one['step'])}</td>"
        f"<td>{escape(one['before'])}: {escape(one['word_before'])}</td>"
        f"<td>{escape(one['after'])}: {escape(one['word_after'])}</td>"
        f'<td class="n">{one["moved"]:+.3f}</td></tr>'
        for one in found
    )
    head = (
        '<tr><th scope="col">if this is false</th><th scope="col">step</th>'
        '<th scope="col">leads now</th><th scope="col">leads then</th>'
        '<th scope="col" class="n">moves it by</th></tr>'
    )
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return "<h2>What it hangs on</h2>" + scroll(table, "What changes if an item is false")


def _outlook(judgement: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(one["look_for"])}</th><td>{escape(one["step"])}</td>'
        f"<td>{escape(one['now'])}</td><td>{escape(one['if_for'])}</td>"
        f"<td>{escape(one['if_against'])}</td></tr>"
        for one in judgement["outlook"]
    )
    head = (
        '<tr><th scope="col">look for</th><th scope="col">step</th><th scope="col">now</th>'
        '<th scope="col">if found</th><th scope="col">if it says the opposite</th></tr>'
    )
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return "<h2>What to look for next</h2>" + scroll(table, "What to look for next")


def _dissent(judgement: Mapping[str, Any]) -> str:
    parts = []
    for one in judgement["dissent"]:
        on = f", {escape(one['on'])}" if one["on"] else ""
        steps = "".join(
            f"<li>{escape(step['with_dissent'])}"
            f"{'' if step['changes'] else ' (as in the judgement)'}</li>"
            for step in one["steps"]
        )
        parts.append(
            f"<h3>{escape(one['analyst'])}{on}</h3><p>{escape(one['text'])}</p>"
            f"<p>With these ratings it would read:</p><ul>{steps}</ul>"
        )
    return "<h2>Dissent</h2>" + "".join(parts) if parts else ""


def _elsewhere(judgement: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<li>{escape(one['who'])}{', ' + escape(one['on']) if one['on'] else ''}: "
        f"‘{escape(one['words'])}’</li>"
        for one in judgement["said_elsewhere"]
    )
    if not rows:
        return ""
    return (
        "<h2>What others concluded</h2><p>Shown beside the judgement; it moves nothing, since it "
        f"may rest on the same facts.</p><ul>{rows}</ul>"
    )


def _evidence(judgement: Mapping[str, Any]) -> str:
    rows = "".join(_evidence_row(one) for one in judgement["evidence"])
    head = (
        '<tr><th scope="col">item</th><th scope="col">what</th><th scope="col">source</th>'
        '<th scope="col">Admiralty</th><th scope="col">forging</th>'
        '<th scope="col" class="n">weight</th></tr>'
    )
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return "<h2>Evidence</h2>" + scroll(table, "Evidence")


def _evidence_row(one: Mapping[str, Any]) -> str:
    code = one["admiralty"]
    meant = f"{RELIABILITY[code[0]][0]}, {CREDIBILITY[code[1]][0]}"
    known_as = one["compared_as"] or one["value"]
    name = "" if one["name"] in ("", one["value"]) else f" {one['name']}"
    value = f"{known_as}{name}: " if known_as else ""
    forged = f", by {one['forged_by']}" if one["forged_by"] else ""
    ratings = ", ".join(f"{about} {rating}" for about, rating in one["ratings"].items())
    rated = f'<br><span class="small">{escape(ratings)}</span>' if ratings else ""
    link = (
        f'<a href="{escape(one["url"])}" rel="noreferrer">{escape(one["report"])}</a>'
        if one["url"].startswith("https://")
        else escape(one["report"])
    )
    known = f", {one['known']}" if one["known"] else ""
    return (
        f'<tr><th scope="row">{escape(one["id"])}</th>'
        f"<td>{escape(value + one['said'])} ({escape(one['kind'].replace('_', ' '))}, "
        f"{escape(one['vertex'])}){rated}</td><td>{link}{escape(known)}</td>"
        f"<td>{escape(code)}: {escape(meant)}</td><td>{escape(one['forging'] + forged)}</td>"
        f'<td class="n">{one["weight"]:.2f}</td></tr>'
    )


def _ground(record: Mapping[str, Any]) -> str:
    judgement = record["judgement"]
    known = judgement["knowledge"]
    facts = {
        "Release": f"ATT&CK {known['release']} of {known['date']} ({known['source']}, "
        f"SHA-256 {known['sha256'][:16]}…)",
        "Reports": f"{known['reports']} on {known['groups']} groups",
        "States": known["states"] or "none: no list of actors and states was given",
        "Not listed": f"{known['unlisted_share']:.0%} of reports, as the years went",
    }
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return "\n".join(
        [
            "<h2>What it rests on</h2>",
            f"<dl>{rows}</dl>",
            _list("Assumptions", judgement["assumptions"]),
            _list("Notes", judgement["notes"]),
            _list("What this can't say", judgement["limits"]),
            f'<p class="small">{escape(record["notice"])}</p>',
        ]
    )


def _list(title: str, texts: Iterable[str]) -> str:
    rows = "".join(f"<li>{escape(one)}</li>" for one in texts)
    return f"<h3>{escape(title)}</h3><ul>{rows}</ul>" if rows else ""
