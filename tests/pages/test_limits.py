"""How often one person or one address may ask, and what is said when it is too often."""

from __future__ import annotations

from fakes.country import environment
from fakes.portal import CLOCK, Visitor, command_of, open_portal, words_of
from fakes.tower import SetClock
from kulla.portal.configuration import Limit
from kulla.portal.limits import Buckets


def test_a_bucket_gives_its_burst_and_then_its_pace():
    clock = SetClock(0)
    bucket = Buckets(Limit(per_minute=6, burst=3), clock)
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 10]
    assert bucket.take("b") == 0
    clock.at_ms = 9_000
    assert bucket.take("a") == 1
    clock.at_ms = 10_000
    assert [bucket.take("a") for _ in range(2)] == [0, 10]
    clock.at_ms = 10_000_000
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 10]


def test_a_bucket_forgets_those_it_heard_from_longest_ago():
    bucket = Buckets(Limit(per_minute=1, burst=1), SetClock(0), names_max=2)
    assert [bucket.take(name) for name in "ab"] == [0, 0]
    assert bucket.take("a") == 60
    assert bucket.take("c") == 0  # b goes, not a
    assert bucket.take("a") == 60
    assert bucket.take("b") == 0


def test_too_many_forms_of_one_person_wait_and_keep_what_was_typed(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "acts=6:2"})
    ana = Visitor().sign_in(country.citizens[0])
    for day in (1, 2):
        assert ana.book(country.slot(days=day)).status_code == 303
    answer = ana.book(country.slot(days=3), reason="E ruajtur këtu")
    assert answer.status_code == 429
    assert answer["Retry-After"] == "10"
    said = words_of(answer)
    assert "Please come back in 10 seconds" in said
    assert "Nothing was lost" in said
    page = answer.content.decode()
    assert "E ruajtur këtu" in page
    fields = {
        "phone": "069 123 4567",
        "reason": "E ruajtur këtu",
        "command": command_of(page),
    }
    besim = Visitor().sign_in(country.citizens[1])
    assert besim.book(country.slot(days=4)).status_code == 303
    CLOCK.at_ms += 10_000
    assert ana.post(f"/appointments/slots/{country.slot(days=3)}", fields).status_code == 303


def test_pages_are_counted_to_the_person_and_else_to_the_address(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "address=60:4,person=60:5"})
    ana = Visitor(address="192.0.2.7").sign_in(country.citizens[0])  # two requests, nobody yet
    assert [ana.get("/").status_code for _ in range(6)] == [200] * 5 + [429]
    stranger = Visitor(address="192.0.2.7")
    assert [stranger.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert Visitor(address="192.0.2.8").get("/").status_code == 200


def test_addresses_that_lead_nowhere_are_counted_too(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "address=60:2"})
    stranger = Visitor(address="192.0.2.9")
    assert [stranger.get("/nowhere").status_code for _ in range(3)] == [404, 404, 429]
    forger = Visitor(address="192.0.2.10")
    codes = [forger.client.post("/check", {"text": "x"}).status_code for _ in range(3)]
    assert codes == [403, 403, 429]


def test_signing_in_has_a_limit_of_its_own(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "sign_in=6:2"})
    visitor = Visitor(address="192.0.2.11")
    codes = [visitor.post("/sign-in", {"subject": "f" * 32}).status_code for _ in range(3)]
    assert codes == [404, 404, 429]


def test_an_ipv6_client_is_its_network(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "address=60:1"})
    assert Visitor(address="2001:db8:1:2::1").get("/").status_code == 200
    assert Visitor(address="2001:db8:1:2:ffff::9").get("/").status_code == 429
    assert Visitor(address="2001:db8:1:3::1").get("/").status_code == 200


def test_only_a_known_proxy_is_believed(country, tmp_path):
    limits = {"KULLA_LIMITS": "address=60:1", "KULLA_PROXIES": "192.0.2.100"}
    open_portal({**environment(tmp_path), **limits})
    liar = Visitor(address="192.0.2.12")
    assert liar.get("/", HTTP_X_FORWARDED_FOR="10.0.0.1").status_code == 200
    assert liar.get("/", HTTP_X_FORWARDED_FOR="10.0.0.2").status_code == 429
    proxy = Visitor(address="192.0.2.100")
    assert proxy.get("/", HTTP_X_FORWARDED_FOR="10.0.0.3").status_code == 200
    assert proxy.get("/", HTTP_X_FORWARDED_FOR="10.0.0.9, 10.0.0.4").status_code == 200
    assert proxy.get("/", HTTP_X_FORWARDED_FOR="10.0.0.8, 10.0.0.4").status_code == 429


def test_only_a_known_proxy_says_that_the_way_was_encrypted(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_PROXIES": "192.0.2.100"})
    https = {
        "HTTP_HOST": "localhost",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_ORIGIN": "https://localhost",
    }
    for address, code in (("192.0.2.100", 302), ("192.0.2.101", 403)):
        visitor = Visitor(address=address)
        headers = {**https, "HTTP_X_FORWARDED_FOR": "10.0.0.5"}
        answer = visitor.post("/sign-in", {"subject": country.citizens[0]}, **headers)
        assert answer.status_code == code
