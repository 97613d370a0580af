"""Where more come than there is room for, newcomers are told when to come back; others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import translation

from fakes.country import environment
from fakes.portal import Visitor, open_portal, words_of
from kulla.portal.configuration import Misconfigured, read_configuration

FULL = 7  # of eight threads, one is kept


@pytest.fixture
def crowd(country, tmp_path) -> Callable[[HttpRequest], HttpResponse]:
    """The door, with a page behind it that waits at /slow until `release` is set."""
    from kulla.portal.crowding import shed

    open_portal({**environment(tmp_path), "KULLA_THREADS": "8"})
    return shed(_page)


release = threading.Event()
arrived = threading.Semaphore(0)


def _page(request: HttpRequest) -> HttpResponse:
    if request.path_info == "/slow":
        arrived.release()
        assert release.wait(20)
    return HttpResponse(b"served")


def _request(path: str, **cookies: str) -> HttpRequest:
    request = RequestFactory().get(path)
    request.COOKIES.update(cookies)
    return request


@contextmanager
def at_work(door: Callable[[HttpRequest], HttpResponse], count: int) -> Iterator[list[int]]:
    """So many requests inside; gives the list of their statuses, filled when they are done."""
    release.clear()
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(door(_request("/slow")).status_code))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert arrived.acquire(timeout=20)
    try:
        yield statuses
    finally:
        release.set()
        for thread in threads:
            thread.join(20)


def test_newcomers_are_told_when_to_come_back(crowd):
    with at_work(crowd, FULL) as served, translation.override("sq"):
        answer = crowd(_request("/services"))
        assert answer.status_code == 503
        assert 5 <= int(answer["Retry-After"]) <= 20
        said = words_of(answer)
        assert "Nuk humbi asgjë" in said
        assert f"kthehuni pas {answer['Retry-After']} sekondash" in said
    assert served == [200] * FULL, "those who were inside were served"
    assert crowd(_request("/services")).status_code == 200, "there is room again"


def test_there_is_room_up_to_the_last_but_the_kept_threads(crowd):
    with at_work(crowd, FULL - 1):
        assert crowd(_request("/services")).status_code == 200


def test_who_is_signed_in_goes_on_and_machines_hear_that_it_is_alive(crowd):
    with at_work(crowd, FULL):
        assert crowd(_request("/services", kulla="a session")).status_code == 200
        for path in ("/healthz", "/style/kulla.css"):
            assert crowd(_request(path)).status_code == 200


def test_a_page_that_fails_leaves_no_place_taken(country, tmp_path):
    from kulla.portal.crowding import shed

    open_portal({**environment(tmp_path), "KULLA_THREADS": "2"})

    def fails(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    door = shed(fails)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            door(_request("/services"))


def test_the_site_has_this_door(country):
    assert Visitor().get("/services").status_code == 200
    from django.conf import settings

    assert "kulla.portal.crowding.shed" in settings.MIDDLEWARE


@pytest.mark.parametrize("odd", ["0", "-1", "many", "1.5"])
def test_threads_are_a_number_from_1_on(odd: str):
    with pytest.raises(Misconfigured, match="KULLA_THREADS"):
        read_configuration({"KULLA_THREADS": odd})
