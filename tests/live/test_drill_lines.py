"""A drill's lines: what passes, hangs, breaks and is barred; and a clock that is wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from kulla.drill.chance import chance_of
from kulla.drill.proxy import Lines, Pace
from kulla.drill.skew import Skew
from kulla.drill.throwaway import free_ports
from kulla.drill.whose import is_connection_of

pytestmark = pytest.mark.live

ANSWER_S = 20


@pytest.fixture
def lines() -> Iterator[Lines]:
    """A line 'rome' to a server that says everything back, and one to nobody."""
    port, nobody = free_ports(2, chance_of(os.getpid(), "ports"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=say_back, args=(server,), daemon=True).start()
        made = Lines({"rome": (port, server.getsockname()[1]), "oslo": (nobody, 9)})
        made.open()
        try:
            yield made
        finally:
            made.end()


def say_back(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=say_back_on, args=(connection,), daemon=True).start()


def say_back_on(connection: socket.socket) -> None:
    try:
        with connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)
    except OSError:
        return


def call(lines: Lines, name: str = "rome") -> socket.socket:
    return socket.create_connection(("127.0.0.1", lines[name].port), ANSWER_S)


def is_refused(lines: Lines, name: str = "rome") -> bool:
    """Whether a new connection is reset, while it is made or as soon as it was."""
    try:
        with call(lines, name) as connection:
            connection.recv(1)
    except ConnectionResetError:
        return True
    return False


def said(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return heard(connection, len(data))


def heard(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        piece = connection.recv(1 << 16)
        if not piece:
            return found
        found += piece
    return found


def test_bytes_pass_both_ways(lines):
    data = os.urandom(300_000)
    with call(lines) as connection:
        assert said(connection, data) == data
    assert lines["rome"].bytes_passed == 2 * len(data)


def test_a_line_to_nobody_is_broken(lines):
    assert is_refused(lines, "oslo")


def test_what_hangs_is_silent_and_comes_later(lines):
    with call(lines) as connection:
        assert said(connection, b"before") == b"before"
        lines.set_state("hung", "rome")
        connection.sendall(b"held")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(ANSWER_S)
        lines.set_state("open")
        assert heard(connection, 4) == b"held"


def test_what_is_cut_is_reset_and_refused_until_it_is_open(lines):
    with call(lines) as connection:
        assert said(connection, b"before") == b"before"
        lines.set_state("cut")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert is_refused(lines)
    lines.set_state("open")
    with call(lines) as connection:
        assert said(connection, b"after") == b"after"
    assert lines.broken >= 2


def test_what_was_held_back_is_gone_where_a_line_breaks(lines):
    with call(lines) as connection:
        assert said(connection, b"before") == b"before"
        passed = lines["rome"].bytes_passed
        lines.set_state("hung")
        connection.sendall(b"held")
        lines.break_off()
        lines.set_state("open")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with call(lines) as connection:
        assert said(connection, b"after") == b"after"
    assert lines["rome"].bytes_passed == passed + 10


def test_one_process_can_be_barred_and_others_not(lines):
    ports = range(lines["rome"].port, lines["rome"].port + 1)
    stranger = (
        "import socket, sys\n"
        f"line = socket.create_connection(('127.0.0.1', {lines['rome'].port}), {ANSWER_S})\n"
        "line.sendall(b'hello'); assert line.recv(5) == b'hello'\n"
    )
    with call(lines) as connection:
        assert said(connection, b"before") == b"before"
        own = connection.getsockname()[1]
        assert is_connection_of([os.getpid()], own, ports)
        assert not is_connection_of([os.getpid()], own, range(1))
        assert not is_connection_of([os.getppid()], own, ports)
        lines.bar(lambda port: is_connection_of([os.getpid()], port, ports))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    subprocess.run([sys.executable, "-c", stranger], check=True, timeout=ANSWER_S)
    assert is_refused(lines)
    lines.bar(lambda _: False)
    with call(lines) as connection:
        assert said(connection, b"after") == b"after"


def test_a_slow_line_loses_nothing(lines):
    lines.set_pace(Pace(delay_s=0.02, bytes_per_s=2_000_000), "rome")
    data = os.urandom(200_000)
    with call(lines) as connection:
        assert said(connection, data) == data


def test_a_wrong_clock_is_that_of_one_process_and_its_own_children(tmp_path):
    skew = Skew(tmp_path / "clock")
    skew.set(-90_000_000)
    look = "from kulla.kernel.edges import SystemClock; print(SystemClock().now_ms())"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {look!r}], check=True)"
    environment = {**os.environ, **skew.environment}
    for code in (look, child):
        argv = [sys.executable, "-c", code]
        wrong = int(subprocess.run(argv, env=environment, capture_output=True, check=True).stdout)
        right = int(subprocess.run(argv, capture_output=True, check=True).stdout)
        assert abs(right - wrong - 90_000_000) < 600_000
