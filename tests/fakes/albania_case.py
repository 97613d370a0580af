"""The case of docs/attribution.md, judged again from its evidence file, as the page tells it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from kulla.attribution.desk import matter_of, open_desk
from kulla.attribution.evidence import load_incident
from kulla.attribution.judgement import judge
from kulla.attribution.knowledge import load_release

TOP = Path(__file__).resolve().parents[2]
EVIDENCE = TOP / "docs" / "attribution" / "albania-2022.toml"
PAGE = TOP / "docs" / "attribution.md"
BEGIN = "<!-- generated from docs/attribution/albania-2022.toml: begin -->"
END = "<!-- generated from docs/attribution/albania-2022.toml: end -->"
LATER = "G1001"
DAYS = {
    "With what was known that week (22 July 2022)": dt.date(2022, 7, 22),
    "After Mandiant's report (5 August 2022)": dt.date(2022, 8, 5),
    "By 8 September 2022": dt.date(2022, 9, 8),
}


def judgements(data: Path) -> dict[str, dict[str, Any]]:
    """The judgement of each day, on ATT&CK v11.3."""
    desk = open_desk(load_release(data / "attack", "v11.3"))
    incident = load_incident(EVIDENCE)
    found = {}
    for title, day in DAYS.items():
        then = incident.as_known(day)
        found[title] = judge(desk, then)
        answers = matter_of(then, desk.knowledge).standing(desk).group
        found[title]["later"] = next(one for one in answers if one.key == f"group:{LATER}")
    return found


def told(found: dict[str, dict[str, Any]]) -> str:
    """The part of the page that the evidence file decides."""
    lines = []
    for title, judgement in found.items():
        lines += [f"### {title}", ""]
        for step in judgement["steps"].values():
            lines += [
                f"- **{step['question']}** {step['likelihood']}",
                f"  {step['confidence']}",
            ]
        state = judgement["steps"]["state"]
        lines += ["", "| state | overlap alone | all evidence | word |"]
        lines += ["| --- | --- | --- | --- |"]
        for one in state["hypotheses"][:5]:
            lines.append(
                f"| {one['label']} | {one['score']:.2f} | {one['weighed']:.2f} | {one['word']} |"
            )
        later = judgement["later"]
        lines += [
            "",
            f"{later.label}, to which ATT&CK attributed the campaign in 2024: {later.score:.3f} by "
            f"overlap alone, {later.weighed:.3f} by all evidence.",
        ]
        lines += ["", *_hangs_on(judgement), ""]
    return "\n".join(lines)


def _hangs_on(judgement: dict[str, Any]) -> list[str]:
    of_state = [
        one
        for one in judgement["changes"]
        if one["step"] == "state" and (one["turns"] or one["word_before"] != one["word_after"])
    ]
    if not of_state:
        return ["No single item or report, if false, changes the state's answer or its word."]
    return ["What would change the state's answer or its word, if false:", ""] + [
        f"- {one['kind']} `{one['without']}`: {one['after']}, ‘{one['word_after']}’ "
        f"(now {one['before']}, ‘{one['word_before']}’)"
        for one in of_state
    ]


def page_part() -> str:
    """What the page has between its marks."""
    return PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip("\n")
