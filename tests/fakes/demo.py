"""A small demo country of real processes on loopback, for tests. Nothing in it is faked."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kulla.tower.up import DemoPlan, Tower, demo_tower, found_demo


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that are free now."""
    for first in range(18_000 + os.getpid() % 2000, 30_000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for number, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + number))
        except OSError:
            continue
        else:
            return first
        finally:
            for each in sockets:
                each.close()
    raise AssertionError("no free ports")


@contextmanager
def running_demo(
    folder: Path, make: Callable[[DemoPlan], Tower] = demo_tower, **more: Any
) -> Iterator[tuple[DemoPlan, Tower]]:
    """A country of 24 clinics with a practitioner each, three days of slots and four people.

    `more` are other values of the plan.
    """
    first = free_ports(6)
    usual: dict[str, Any] = {"per_clinic": 1, "days": 3, "people": 4, **more}
    plan = DemoPlan(folder / "d", port=first, embassy_port=first + 1, **usual)
    tower = make(plan)
    try:
        tower.start()
        found_demo(plan)
        yield plan, tower
    finally:
        tower.end()
