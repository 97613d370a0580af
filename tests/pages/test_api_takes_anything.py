"""Schemathesis calls every operation of the API with what its description allows and what it does
not, through the real WSGI application: never a fault of ours, and every answer as it is described.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fakes.country import Country
from fakes.fhir_r4 import faults
from fakes.portal import found
from fakes.program import OPERATOR, issue, wish
from kulla.kernel.service import Actor

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
LIMITS = "address=100000:100000,token=100000:100000,acts=100000:100000"
EXAMPLES = {"quick": 12, "ci": 30, "long": 200}.get(os.environ.get("KULLA_TEST_PROFILE", ""), 12)


class Site(NamedTuple):
    """A country, its API as schemathesis sees it, and tokens that open all of it."""

    country: Country
    schema: Any
    tokens: list[str]
    ids: list[str]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    """One country for all calls; what they book stays booked."""
    country, application = found(tmp_path_factory.mktemp("country"), KULLA_LIMITS=LIMITS)
    ana = Actor("citizen", country.citizens[0])
    tokens = [
        issue(country, OPERATOR, "slots:read"),
        issue(country, ana, "slots:read", "appointments:read", "appointments:book"),
        "",
        "kulla_" + "A" * 43,
    ]
    slots = [country.slot(days=days, hour=hour) for days in range(1, 3) for hour in (8, 9)]
    ids = [country.book(ana.subject, slots[0]), country.book(country.citizens[1], slots[1])]
    ids += ["hoxha-a", "poliklinika-8", *slots]
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", application)
    return Site(country, schema, tokens, ids)


def _operations() -> list[tuple[str, str, GenerationMode]]:
    """Every operation, read from the code, so that a new one is called from its first day."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kulla.portal.settings")
    import django

    django.setup()
    # Ninja's own description: ours speaks a language, and no catalogue is compiled yet.
    from kulla.portal.api import api

    found = []
    for address, methods in api.get_openapi_schema(path_prefix="/api/")["paths"].items():
        for method, one in methods.items():
            found.append((method, address, GenerationMode.POSITIVE))
            if one["parameters"] or "requestBody" in one:  # else nothing can be sent wrong
                found.append((method, address, GenerationMode.NEGATIVE))
    return found


@pytest.mark.parametrize(("method", "address", "mode"), _operations())
def test_no_call_is_a_fault_of_ours(site, method, address, mode):
    operation = site.schema[address][method.upper()]
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        # Mostly with a token that opens everything, or the doors would be all that is tried.
        token=st.sampled_from([site.tokens[1]] * 8 + site.tokens),
        real=st.sampled_from([*site.ids, site.ids[0], site.ids[0], ""]),
        kept=st.sampled_from(["everything", "status", "start", "contained", "slot", "nothing"]),
    )
    def call(case: Any, token: str, real: str, kept: str) -> None:
        _make_real(case, real, kept)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = case.call(headers=headers)
        statuses.add(response.status_code)
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=CHECKS, headers=headers)
        if address.startswith("/api/fhir/"):
            assert faults(response.json()) == []

    call()
    assert statuses - {401, 403, 415}, statuses


def _make_real(case: Any, real: str, kept: str) -> None:
    """Put what really exists into a call: made-up ids alone find nothing.

    Of a body one element stays as it was made up (`kept`), so that calls come as far as the rules.
    """
    if not real:
        return
    if isinstance(case.path_parameters, dict) and "id" in case.path_parameters:
        case.path_parameters["id"] = real
    if isinstance(case.query, dict):
        if "schedule" in case.query:
            case.query["schedule"] = ["Schedule/hoxha-a"]
        if "practitioner" in case.query:
            case.query["practitioner"] = "hoxha-a"
    if isinstance(case.body, dict) and kept != "everything":
        whole = wish(real, id=(case.path_parameters or {}).get("id", real))
        case.body = {**whole, kept: case.body[kept]} if kept in case.body else whole


def test_every_operation_was_found(site):
    assert len(_operations()) >= 36
