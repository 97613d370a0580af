"""Addresses of the room `applications`, below /enrolment/."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern

PATTERNS: Final[list[URLPattern]] = []
