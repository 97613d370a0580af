"""The desk's pages in a real Chromium: axe, 320 px, dark, keyboard alone, nothing loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from fakes.attack_release import desk_in, incident, rated, write_releases
from kulla.attribution.evaluation import evaluate
from kulla.attribution.evaluation_page import evaluation_page
from kulla.attribution.evidence import incident_from
from kulla.attribution.knowledge import load_release
from kulla.attribution.page import judgement_page
from kulla.attribution.record import record_of

pytestmark = [pytest.mark.browser, pytest.mark.live]

HOSTILE = "</style><script>window.hurt=1</script><img src=x onerror=window.hurt=1>\" ' &"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    raw = incident(
        name=f"Incident {HOSTILE}",
        question=HOSTILE,
        assumptions=[HOSTILE],
        dissent=[{"analyst": HOSTILE, "on": "2023-05-20", "text": HOSTILE, "ratings": {}}],
        said_elsewhere=[{"who": HOSTILE, "words": HOSTILE}],
    )
    raw["evidence"].append(rated("R9", "claim", {"state:IR": "C"}, said=HOSTILE, value=HOSTILE))
    raw["report"][0] |= {"title": HOSTILE, "url": 'javascript:alert("x")'}
    raw["report"][1] |= {"url": "https://example.test/report"}
    record = record_of(desk_in(folder / "data"), incident_from(raw, "x"))
    judged = folder / "judgement.html"
    judged.write_text(judgement_page(record), encoding="utf-8")
    releases = write_releases(folder / "releases")
    figures = evaluate(load_release(releases, "v1.0"), load_release(releases, "v2.0"))
    measured = folder / "figures.html"
    measured.write_text(evaluation_page(figures), encoding="utf-8")
    return {"judgement": judged, "figures": measured}


@pytest.mark.parametrize("name", ["judgement", "figures"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_narrow_screen(
    page: Page, pages: dict[str, Path], name: str, scheme: str
) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.emulate_media(color_scheme=scheme)
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        page.goto(pages[name].as_uri())
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert sideways <= 0
    assert {url.split(":")[0] for url in asked} == {"file"}
    assert set(asked) == {pages[name].as_uri()}
    assert not complaints


def test_what_people_typed_runs_nothing_and_links_only_to_https(
    page: Page, pages: dict[str, Path]
) -> None:
    page.goto(pages["judgement"].as_uri())
    assert page.evaluate("window.hurt") is None
    assert page.locator("script, img").count() == 0
    assert page.locator("h1").inner_text().startswith("Who was behind it: Incident </style>")
    links = page.locator("a").evaluate_all("all => all.map(one => one.href)")
    assert set(links) == {"https://example.test/report"}


def test_the_keyboard_reaches_each_table_and_picture(page: Page, pages: dict[str, Path]) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(pages["judgement"].as_uri())
    regions = page.get_by_role("region").count()
    reached: set[str] = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        if page.evaluate("document.activeElement === document.body"):
            break
        if label:
            reached.add(label)
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            page.keyboard.press("Enter")
    assert len(reached) >= regions
    assert any(label.startswith("Matrix picture") for label in reached)
    assert any(label.startswith("Matrix table") for label in reached)


def test_pictures_say_what_they_show(page: Page, pages: dict[str, Path]) -> None:
    page.goto(pages["judgement"].as_uri())
    pictures = page.get_by_role("img")
    assert pictures.count() == 3
    for n in range(3):
        label = pictures.nth(n).get_attribute("aria-label") or ""
        assert "Matrix of competing hypotheses" in label
    page.goto(pages["figures"].as_uri())
    assert "came true" in (page.get_by_role("img").first.get_attribute("aria-label") or "")
