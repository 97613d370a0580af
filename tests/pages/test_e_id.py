"""Signing in with the national e-ID against a real provider (django-oauth-toolkit) on loopback."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils.html import escape

from fakes.accounts import open_account
from fakes.country import Country, environment
from fakes.oidc_provider import CLIENT_ID, CLIENT_SECRET, RunningProvider, running_provider
from fakes.portal import CLOCK, Visitor, found, open_portal, words_of
from kulla.kernel.service import Actor
from kulla.portal.configuration import Misconfigured, read_configuration
from kulla.portal.e_id import provider as asked
from kulla.tower.home import Home, HomeBroken
from kulla.tower.portal_app import OIDC

pytestmark = pytest.mark.live
BACK = "http://localhost/sign-in/e-id/back"


@pytest.fixture(scope="module")
def e_id(tmp_path_factory) -> Iterator[RunningProvider]:
    with running_provider(tmp_path_factory.mktemp("provider"), BACK) as running:
        yield running


def _settings(e_id: RunningProvider, **more: str) -> dict[str, str]:
    return {
        "KULLA_PUBLIC_URL": "http://localhost",
        "KULLA_OIDC_ISSUER": e_id.issuer,
        "KULLA_OIDC_CLIENT_ID": CLIENT_ID,
        "KULLA_OIDC_SECRET": CLIENT_SECRET,
        "KULLA_OIDC_NAME": "e-Albania",
        **more,
    }


@pytest.fixture
def country(tmp_path, e_id) -> Country:
    country, _ = found(tmp_path, **_settings(e_id))
    CLOCK.at_ms = time.time_ns() // 1_000_000  # the provider has the machine's clock
    e_id.become("ana")
    for subject in country.citizens[:2]:
        open_account(country, subject, f"{subject}@shembull.al")
    return country


def _at_provider(address: str) -> str:
    """What a browser does at the provider: open the address, be sent back; gives where to."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    assert answer.status == 302, answer.read().decode()
    where = answer.headers["Location"]
    assert where.startswith(BACK), where
    return where.removeprefix("http://localhost")


def _led_to(visitor: Visitor, where: str = "/") -> str:
    """Press the button; gives the address at the provider."""
    answer = visitor.post("/sign-in/e-id", {"next": where}, form="/sign-in")
    assert answer.status_code == 200, words_of(answer)
    return answer["Refresh"].removeprefix("0; url=")


def _link(country: Country, e_id: RunningProvider, subject: str, sub: str) -> None:
    token = country.tower.token("oidc", f"{e_id.issuer} {sub}")
    data = {"issuer": e_id.issuer, "token": token}
    assert country.ask(Actor("citizen", subject), "accounts", "link_identity", data).positions


def _linked() -> dict[bytes, str]:
    """Whose each linked e-ID is, by its token."""
    from kulla.services.accounts.models import Identity

    return {bytes(row.token): row.subject for row in Identity.objects.all()}


def test_the_button_is_there_only_where_there_is_a_provider(country, tmp_path):
    assert "Sign in with e-Albania" in words_of(Visitor().get("/sign-in"))
    open_portal(environment(tmp_path))
    assert "e-Albania" not in words_of(Visitor().get("/sign-in"))
    for address in ("/sign-in/e-id", "/sign-in/e-id/back", "/sign-in/e-id/link"):
        assert Visitor().get(address).status_code == 404


def test_the_way_there_carries_pkce_state_and_nonce(country, e_id):
    visitor = Visitor()
    answer = visitor.post("/sign-in/e-id", {"next": "/acts"}, form="/sign-in")
    address = answer["Refresh"].removeprefix("0; url=")
    assert address.startswith(f"{e_id.issuer}/authorize/?")
    assert f'href="{escape(address)}"' in answer.content.decode()
    asked_for = parse_qs(urlsplit(address).query)
    assert asked_for["code_challenge_method"] == ["S256"]
    assert asked_for["scope"] == ["openid profile"]
    assert asked_for["redirect_uri"] == [BACK]
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked_for[name][0]) == 43
    cookie = visitor.client.cookies["kulla-e-id"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    for name in ("state", "nonce"):
        assert asked_for[name][0] not in cookie.value
    assert CLIENT_SECRET not in answer.content.decode()
    assert visitor.get("/sign-in/e-id").status_code == 302  # a link begins nothing


def test_a_known_e_id_signs_in_and_leads_where_one_wanted_to_go(country, e_id):
    _link(country, e_id, country.citizens[0], "1")
    visitor = Visitor()
    answer = visitor.get(_at_provider(_led_to(visitor, "/acts")))
    assert (answer.status_code, answer["Location"]) == (302, "/acts")
    assert "An e-ID was linked" in words_of(visitor.get("/acts"))
    assert visitor.client.cookies["kulla-e-id"].value == ""


def test_an_unknown_e_id_opens_no_account_until_one_is_proven(country, e_id):
    visitor = Visitor()
    answer = visitor.get(_at_provider(_led_to(visitor)), follow=True)
    assert "This e-ID is new here" in words_of(answer)
    assert "Ana Prifti" in words_of(answer)
    assert visitor.get("/acts").status_code == 302
    assert not _linked()
    visitor.sign_in(country.citizens[0])
    assert "Link this e-ID to your account?" in words_of(visitor.get("/sign-in/e-id/link"))
    answer = visitor.post("/sign-in/e-id/link", {"next": "/"})
    assert answer.status_code == 303, words_of(answer)
    token = country.tower.token("oidc", f"{e_id.issuer} 1")
    assert _linked() == {token: country.citizens[0]}
    visitor.post("/sign-out", {}, form="/")
    answer = visitor.get(_at_provider(_led_to(visitor, "/acts")))
    assert answer["Location"] == "/acts"
    assert visitor.get("/acts").status_code == 200


def test_who_has_no_account_opens_one_with_the_name_filled_in(country, e_id):
    e_id.become("besim")
    visitor = Visitor()
    visitor.get(_at_provider(_led_to(visitor)), follow=True)
    sent = visitor.post("/sign-in?next=/sign-in/e-id/link", {"address": "besim@shembull.al"})
    assert sent.status_code == 302, words_of(sent)
    where = {"next": "/sign-in/e-id/link"}
    code = re.search(r"(\d{3} \d{3}) is your code", words_of(visitor.get("/sign-in/code")))[1]
    answer = visitor.post("/sign-in/code", {"code": code, **where})
    assert answer["Location"].startswith("/sign-up"), words_of(answer)
    assert 'value="Besim Kodra"' in visitor.get("/sign-up").content.decode()
    answer = visitor.post("/sign-up", {"name": "Besim Kodra", **where})
    assert answer["Location"] == "/sign-in/e-id/link", words_of(answer)
    assert visitor.post("/sign-in/e-id/link", {}).status_code == 303
    assert len(_linked()) == 1
    assert "Besim Kodra" in visitor.get("/mine").content.decode()


def test_an_e_id_of_another_account_is_not_taken(country, e_id):
    _link(country, e_id, country.citizens[1], "1")
    visitor = Visitor().sign_in(country.citizens[0])
    answer = visitor.get(_at_provider(_led_to(visitor)))
    assert answer.status_code == 409
    assert "linked to another account" in words_of(answer)
    assert country.citizens[0] == _who(visitor, country)


def _who(visitor: Visitor, country: Country) -> str:
    name = re.search(r"Signed in as <strong>([^<]+)", visitor.get("/").content.decode())[1]
    return {"Ana Prifti": country.citizens[0], "Besim Kodra": country.citizens[1]}[name]


@pytest.mark.parametrize(
    "mischief",
    [
        *("nonce", "no-nonce", "aud", "many-aud", "azp", "iss", "expired", "no-exp", "old"),
        *("future", "no-sub", "alg-none", "alg-shared", "other-key", "cut"),
    ],
)
def test_a_token_that_proves_nothing_signs_nobody_in(country, e_id, mischief):
    _link(country, e_id, country.citizens[0], "1")
    e_id.become("ana", mischief)
    visitor = Visitor()
    answer = visitor.get(_at_provider(_led_to(visitor)))
    assert answer.status_code == 403
    assert "could not be accepted as a proof" in words_of(answer)
    assert visitor.get("/acts").status_code == 302


def test_the_state_of_another_sign_in_is_refused(country, e_id):
    _link(country, e_id, country.citizens[0], "1")
    attacker, victim = Visitor(), Visitor(address="192.0.2.9")
    stolen = _at_provider(_led_to(attacker))
    for where in (stolen, stolen.replace("state=", "state=x"), stolen.partition("&state")[0]):
        answer = victim.get(where)
        assert answer.status_code == 400
        assert "begun in another browser" in words_of(answer)
    _led_to(victim)
    assert victim.get(stolen).status_code == 400
    assert victim.get("/acts").status_code == 302


def test_a_code_counts_once_and_an_attempt_ten_minutes(country, e_id):
    _link(country, e_id, country.citizens[0], "1")
    visitor = Visitor()
    address = _led_to(visitor)
    cookie = visitor.client.cookies["kulla-e-id"].value
    back = _at_provider(address)
    assert visitor.get(back).status_code == 302
    again = Visitor(address="192.0.2.9")
    again.client.cookies["kulla-e-id"] = cookie
    assert again.get(back).status_code == 503  # the provider gives no second token for a code
    late = Visitor(address="192.0.2.10")
    back = _at_provider(_led_to(late))
    CLOCK.at_ms += 600_000
    assert late.get(back).status_code == 400


def test_who_stops_at_the_provider_is_told_so(country, e_id):
    visitor = Visitor()
    state = parse_qs(urlsplit(_led_to(visitor)).query)["state"][0]
    answer = visitor.get(f"/sign-in/e-id/back?error=access_denied&state={state}")
    assert answer.status_code == 403
    assert "you stopped there" in words_of(answer)


def test_a_provider_that_is_away_is_said_so(country, e_id, tmp_path):
    away = e_id.issuer.replace(e_id.issuer.split(":")[2], "9/o")
    open_portal({**environment(tmp_path), **_settings(e_id, KULLA_OIDC_ISSUER=away)})
    answer = Visitor().post("/sign-in/e-id", {"next": "/"}, form="/sign-in")
    assert answer.status_code == 503
    assert "The e-ID did not answer" in words_of(answer)


def test_who_says_to_be_another_issuer_is_not_asked(country, e_id, tmp_path):
    other = e_id.issuer.replace("127.0.0.1", "localhost")
    open_portal({**environment(tmp_path), **_settings(e_id, KULLA_OIDC_ISSUER=other)})
    answer = Visitor().post("/sign-in/e-id", {"next": "/"}, form="/sign-in")
    assert answer.status_code == 503


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_nobody_but_the_issuers_host_is_asked(e_id, name):
    known = dict.fromkeys(asked._ENDPOINTS, f"{e_id.issuer}/x") | {"issuer": e_id.issuer}
    asked._check_metadata(known, e_id.issuer)
    with pytest.raises(asked.ProviderUnavailable, match=name):
        asked._check_metadata(known | {name: "http://169.254.169.254/latest"}, e_id.issuer)


def test_home_toml_and_the_secrets_file_tell_the_portal_where_the_e_id_is(tmp_path):
    home = Home(tmp_path)
    toml = tmp_path / "home.toml"
    toml.write_text('tower = "x"\n')
    assert home.oidc() == {}
    toml.write_text('[oidc]\nissuer = "https://e-id.example"\nclient_id = "kulla"\n')
    (tmp_path / "keys").mkdir()
    secret = tmp_path / "keys" / "oidc.secret"
    secret.write_text("s3cret\n")
    told = {OIDC[name]: value for name, value in home.oidc().items()}
    oidc = read_configuration(told).oidc
    assert oidc is not None
    assert (oidc.issuer, oidc.name) == ("https://e-id.example", "e-id.example")
    secret.chmod(0o644)
    with pytest.raises(Misconfigured, match="others may read"):
        oidc.secret()
    secret.chmod(0o600)
    assert oidc.secret() == "s3cret"
    assert "s3cret" not in repr(read_configuration({**told, "KULLA_OIDC_SECRET": "s3cret"}))
    toml.write_text('[oidc]\nissuer = "https://e-id.example"\nsecret = "never here"\n')
    with pytest.raises(HomeBroken, match="not known"):
        home.oidc()


@pytest.mark.parametrize(
    ("issuer", "client_id", "place"),
    [
        ("http://e-id.example", "kulla", "KULLA_OIDC_ISSUER"),
        ("https://e-id.example/?a=b", "kulla", "KULLA_OIDC_ISSUER"),
        ("e-id.example", "kulla", "KULLA_OIDC_ISSUER"),
        ("https://e-id.example", "", "KULLA_OIDC_CLIENT_ID"),
    ],
)
def test_an_e_id_that_can_not_be_used_is_named(issuer, client_id, place):
    with pytest.raises(Misconfigured) as caught:
        read_configuration({"KULLA_OIDC_ISSUER": issuer, "KULLA_OIDC_CLIENT_ID": client_id})
    assert caught.value.place == place
