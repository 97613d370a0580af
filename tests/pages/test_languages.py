"""Albanian by default, English on request, both complete, and days and times in words."""

from __future__ import annotations

import gettext
import io
import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from fakes.portal import Visitor, words_of
from kulla.portal import words
from kulla.portal.catalogues import (
    CatalogueInvalid,
    compile_catalogues,
    encode_mo,
    merged,
    parse_po,
    po_files,
)
from pages.translatable import texts

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|<[^>]+>")


def test_albanian_is_the_language_until_another_is_chosen(country):
    visitor = Visitor(language="")
    page = visitor.get("/")
    assert page["Content-Language"] == "sq"
    assert '<html lang="sq">' in page.content.decode()
    assert "Shërbime publike që nuk mbyllen" in words_of(page)
    chosen = visitor.get("/appointments/?place=Tiranë&lang=en")
    assert "2 doctors found" in words_of(chosen)
    assert "Public services that stay open" in words_of(visitor.get("/"))
    assert "2 mjekë" in words_of(visitor.get("/appointments/?place=Tiranë&lang=sq"))


@pytest.mark.parametrize("odd", ["xx", "", "en-GB", "../../etc"])
def test_a_language_that_is_not_spoken_here_changes_nothing(country, odd):
    visitor = Visitor(language=odd)
    page = visitor.get(f"/?lang={odd}")
    assert page["Content-Language"] == "sq"
    assert visitor.client.cookies["kulla-language"].value == odd


def test_the_switch_keeps_the_place_and_the_choices(country):
    page = Visitor(language="sq").get("/appointments/?place=Tiranë&lang=sq").content.decode()
    assert 'href="/appointments/?place=Tiran%C3%AB&amp;lang=en"' in page


def test_every_text_of_every_page_is_translated():
    catalogue = merged(po_files("sq"))
    missing = {text: place for text, place in texts().items() if text not in catalogue}
    assert not missing
    unused = set(catalogue) - set(texts()) - {""}
    assert not unused, "no page says this any more"
    assert len(catalogue) > 200


def test_translations_keep_the_values_and_the_markup():
    for source, text in merged(po_files("sq")).items():
        if not source:
            continue
        for one in text.split("\0")[-1:]:
            wanted = set(PLACEHOLDER.findall(source.split("\0")[-1]))
            assert set(PLACEHOLDER.findall(one)) == wanted, source


def test_the_compiled_catalogue_is_one_that_gettext_reads(tmp_path):
    compile_catalogues(tmp_path)
    compile_catalogues(tmp_path)
    read = gettext.translation("django", str(tmp_path), ["sq"])
    assert read.gettext("Sign in") == "Hyni"
    counted = read.ngettext("One doctor found", "%(total)s doctors found", 5)
    assert counted == "U gjetën %(total)s mjekë"
    assert [path.name for path in (tmp_path / "sq" / "LC_MESSAGES").iterdir()] == ["django.mo"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('msgid "a"\nmsgstr b\n', 2),
        ('msgid "a"\nmsgstr "b\n', 2),
        ("\n\nwhat is this\n", 3),
        ('msgid "a"\nmsgstr "b"\nmsgid "c"\n', 3),
        ('msgid ["a"]\n', 1),
    ],
)
def test_a_damaged_catalogue_is_named_with_its_line(text, line):
    with pytest.raises(CatalogueInvalid) as caught:
        parse_po(text, place="django.po")
    assert caught.value.place == f"django.po:{line}"


def test_two_catalogues_that_disagree_are_found(tmp_path):
    for number, text in enumerate(("Hyni", "Hyrje")):
        (tmp_path / f"{number}.po").write_text(f'msgid "Sign in"\nmsgstr "{text}"\n')
    with pytest.raises(CatalogueInvalid, match="translated in another way"):
        merged([tmp_path / "0.po", tmp_path / "1.po"])


def test_what_is_fuzzy_or_empty_is_not_shown():
    source = '#, fuzzy\nmsgid "a"\nmsgstr "x"\n\nmsgid "b"\nmsgstr ""\n\n'
    source += 'msgid "c"\nmsgstr "l\\"1\\n"\n"l2"'
    assert parse_po(source) == {"c": 'l"1\nl2'}
    read = gettext.GNUTranslations(io.BytesIO(encode_mo(parse_po(source))))
    assert read.gettext("c") == 'l"1\nl2'


AT = datetime(2026, 7, 5, 22, 30, tzinfo=UTC)


def test_days_and_times_are_in_words_with_their_zone():
    with translation.override("sq"):
        assert words.moment(AT) == "e hënë, 6 korrik 2026, ora 00:30 (ora e Tiranës, UTC+2)"
        assert words.month(date(2026, 2, 1)) == "shkurt 2026"
    with translation.override("en"):
        assert words.moment(AT) == "Monday 6 July 2026, 00:30 (Tirana time, UTC+2)"
        kathmandu = AT.astimezone(ZoneInfo("Asia/Kathmandu"))
        assert words.moment(kathmandu) == "Monday 6 July 2026, 04:15 (Asia/Kathmandu, UTC+5:45)"
