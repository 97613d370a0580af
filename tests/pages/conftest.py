"""A made-up country with its portal for each test, and people to visit it."""

from __future__ import annotations

import pytest

from fakes.clinic_desk import Clerk, furnish
from fakes.country import Country
from fakes.portal import Visitor, found


@pytest.fixture
def country(tmp_path) -> Country:
    return found(tmp_path)[0]


@pytest.fixture
def ana(country) -> Visitor:
    """The first citizen, signed in."""
    return Visitor().sign_in(country.citizens[0])


@pytest.fixture
def besim(country) -> Visitor:
    """The second citizen, signed in."""
    return Visitor(address="192.0.2.2").sign_in(country.citizens[1])


@pytest.fixture
def clerk(country, tmp_path) -> Clerk:
    """Elira Meta, a clerk with a signing key, at the desk of a country with a founded staff."""
    furnish(country, tmp_path)
    person = Clerk(address="192.0.2.3")
    person.sign_in(country.clerk)
    return person
