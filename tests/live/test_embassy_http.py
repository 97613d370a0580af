"""A real embassy over HTTP: what only a line, headers and sockets can show."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes.embassy import GrowingLog
from fakes.embassy_process import NAME, EmbassyProcess, embassy_process
from kulla.embassy.blobs import blob_name
from kulla.embassy.client import EmbassyClient, Progress
from kulla.embassy.courier import Standing, bring_level
from kulla.embassy.errors import MissingBlobs, Refused, SettingsInvalid, Unreachable
from kulla.embassy.folder import open_embassy, pin
from kulla.embassy.mirror import origin_hash
from kulla.journal.errors import StoreConflict
from kulla.journal.filestore import FileTileStore
from kulla.journal.tree import verified_bundles
from kulla.kernel.edges import SystemClock

pytestmark = pytest.mark.live

LIMITS = "body_bytes_max = 2_000_000\ncheckpoint_body_bytes_max = 5000\n"


@pytest.fixture
def embassy(tmp_path: Path) -> Iterator[EmbassyProcess]:
    with embassy_process(tmp_path, LIMITS) as embassy:
        yield embassy


@pytest.fixture
def log(embassy: EmbassyProcess) -> GrowingLog:
    return GrowingLog(embassy.tower.log_key, [b"entry %d" % number for number in range(700)])


def ask(
    embassy: EmbassyProcess, method: str, path: str, body: object = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(embassy.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)  # type: ignore[arg-type]
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


def health(embassy: EmbassyProcess) -> dict[str, int]:
    [log] = json.loads(ask(embassy, "GET", "/healthz")[1])["logs"]
    return log


def test_a_log_goes_in_and_comes_out_whole(
    embassy: EmbassyProcess, log: GrowingLog, tmp_path: Path
):
    client, standing = embassy.client(), Standing()
    bring_level(client, log.tree, log.note(), embassy.keys.mirror, standing)
    log.grow([b"more"])
    bring_level(client, log.tree, log.note(), embassy.keys.mirror, standing)
    assert client.checkpoint(log.origin).startswith(log.note())
    assert len(client.tile(log.origin, "tile/0/002.p/189")) == 189 * 32
    assert client.policy() == embassy.policy.render()
    assert json.loads(client.evidence()) == []
    assert health(embassy)["size"] == 701
    assert embassy.stop() == 0
    with FileTileStore(embassy.folder / "logs" / origin_hash(log.origin)) as store:
        found = verified_bundles(store, 701, log.tree.root())
        assert [entry for _, some in found for entry in some] == log.tree.entries(0, 701)


def test_blobs_go_in_and_come_out(embassy: EmbassyProcess):
    client = embassy.client()
    blobs = [b"blob %d" % number for number in range(2500)]
    client.add_blobs(blobs)
    names = [blob_name(blob) for blob in blobs]
    assert list(client.blob_names()) == sorted(names)
    lost = blob_name(b"lost")
    assert dict(client.fetch_blobs([lost, *names])) == {
        lost: None,
        **dict(zip(names, blobs, strict=True)),
    }
    assert client.blob(names[7]) == blobs[7]
    entry = embassy.tower.sealer.seal(b"act", [lost])
    log = GrowingLog(embassy.tower.log_key, [entry])
    with pytest.raises(MissingBlobs) as missing:
        bring_level(client, log.tree, log.note(), embassy.keys.mirror, Standing())
    assert missing.value.names == (lost,)


def test_only_readers_of_the_policy_may_read_or_send_blobs(
    embassy: EmbassyProcess, log: GrowingLog
):
    bring_level(embassy.client(), log.tree, log.note(), embassy.keys.mirror, Standing())
    thief = EmbassyClient(embassy.url, name=NAME, reader=embassy.tower.key("thief.example"))
    other_door = EmbassyClient(
        embassy.url, name="embassy-2", reader=embassy.tower.key("standby.example")
    )
    for client in (embassy.client(reader=False), thief, other_door):
        for refused in (
            lambda client=client: client.tile(log.origin, "tile/0/000"),
            lambda client=client: client.tile(log.origin, "tile/entries/000"),
            lambda client=client: client.blob(bytes(32)),
            lambda client=client: list(client.blob_names()),
            lambda client=client: list(client.fetch_blobs([bytes(32)])),
            lambda client=client: client.add_blobs([b"x"]),
            client.evidence,
            lambda client=client: client.commit_secret("first-2026", 1_760_001_000),
        ):
            with pytest.raises(Refused) as error:
                refused()
            assert error.value.status == 401
        assert client.checkpoint(log.origin)


def test_a_reader_gets_one_commitment_a_round_and_everybody_sees_it(embassy: EmbassyProcess):
    statement, deal = embassy.client().commit_secret("first-2026", 1_760_001_000)
    assert embassy.client().commit_secret("first-2026", 1_760_001_000) == (statement, deal)
    anybody = embassy.client(reader=False)
    shown = json.loads(anybody.lottery("first-2026") or b"")
    assert (shown["commitment"].encode(), shown["reveal"]) == (statement, "")
    assert anybody.lottery("second-2026") is None
    with pytest.raises(Refused, match="not a receipt"):
        anybody.reveal_secret(b"not a receipt")


def test_nothing_but_tiles_is_served_from_the_folder(embassy: EmbassyProcess, log: GrowingLog):
    client = embassy.client()
    bring_level(client, log.tree, log.note(), embassy.keys.mirror, Standing())
    for path in ("tile/../../../keys/mirror.key", "tile/0/../000", "tile/pending", "pending"):
        with pytest.raises(Refused) as error:
            client.tile(log.origin, path)
        assert error.value.status == 404
    for path in ("/keys/mirror.key", "/embassy.toml", "/desk/policy", "/../keys/mirror.key"):
        assert ask(embassy, "GET", path)[0].status == 404


def test_oversize_bodies_are_413(embassy: EmbassyProcess, log: GrowingLog):
    octets = {"Content_Type": "application/octet-stream"}
    for path, length in (("/add-checkpoint", 5001), ("/seal", 2**20), ("/policy", 2**20)):
        response, text = ask(embassy, "POST", path, bytes(length), **octets)
        assert response.status == 413
        assert b"over" in text
    pieces = (bytes(1000) for _ in range(600))
    assert ask(embassy, "POST", "/add-checkpoint", pieces, **octets)[0].status == 413
    embassy.client().add_checkpoint(0, [], log.note())
    header = log.entries_body(0)[:50]
    response, text = ask(embassy, "POST", "/add-entries", header + b"\xff" * 2_500_000, **octets)
    assert response.status == 413
    bomb = gzip.compress(header + b"\xff" * 50_000_000)
    assert len(bomb) < 100_000
    response, _ = ask(embassy, "POST", "/add-entries", bomb, Content_Encoding="gzip", **octets)
    assert response.status == 413
    assert health(embassy)["next_entry"] == 0


def test_gzip_is_taken_and_said_to_be(embassy: EmbassyProcess, log: GrowingLog):
    client = embassy.client()
    client.add_checkpoint(0, [], log.note())
    octets = {"Content_Type": "application/octet-stream"}
    body = gzip.compress(log.entries_body(0))
    response, _ = ask(embassy, "POST", "/add-entries", body, Content_Encoding="gzip", **octets)
    assert (response.status, response.headers["Accept-Encoding"]) == (200, "gzip")
    response, _ = ask(embassy, "POST", "/add-entries", body, Content_Encoding="br", **octets)
    assert response.status == 415
    assert ask(embassy, "POST", "/add-entries", body, Content_Type="text/plain")[0].status == 415


def send_part(embassy: EmbassyProcess, body: bytes, length: int) -> socket.socket:
    """Promise `length` bytes to add-entries and send only `body`."""
    parts = urlsplit(embassy.url)
    line = socket.create_connection((parts.hostname, parts.port), timeout=30)
    head = (
        "POST /add-entries HTTP/1.1\r\nHost: here\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    line.sendall(head.encode() + body)
    return line


def wait_for(embassy: EmbassyProcess, next_entry: int) -> None:
    deadline = time.monotonic() + 20
    while health(embassy)["next_entry"] < next_entry:
        assert time.monotonic() < deadline, "what was proven was not saved"
        time.sleep(0.02)


def test_a_line_that_breaks_loses_only_what_was_not_proven(
    embassy: EmbassyProcess, log: GrowingLog
):
    client = embassy.client()
    client.add_checkpoint(0, [], log.note())
    body = log.entries_body(0)
    send_part(embassy, body[:-10], len(body)).close()
    wait_for(embassy, 512)
    send_part(embassy, b"", 10).close()
    send_part(embassy, b"\x00", 10).close()
    assert isinstance(client.add_entries(log.entries_body(512)), tuple)


def test_one_who_stops_in_the_middle_holds_up_nobody(embassy: EmbassyProcess, log: GrowingLog):
    client = embassy.client()
    client.add_checkpoint(0, [], log.note())
    body = log.entries_body(0)
    waiting = [send_part(embassy, body[:-10], len(body)) for _ in range(20)]
    assert isinstance(client.add_entries(log.entries_body(0, packages_max=1)), Progress)
    assert not isinstance(client.add_entries(log.entries_body(256)), Progress)
    assert ask(embassy, "GET", "/check")[0].status == 200
    waiting[0].sendall(body[-10:])
    assert waiting[0].recv(100).startswith(b"HTTP/1.1 409"), "it is done: go on behind it"
    for line in waiting:
        line.close()


def test_a_kept_connection_that_the_embassy_closed_is_opened_again(
    embassy: EmbassyProcess, log: GrowingLog
):
    client = embassy.client()
    client.health()
    port = urlsplit(embassy.url).port
    embassy.stop()
    with pytest.raises(Unreachable, match="does not answer"):
        client.health()
    settings = embassy.folder / "embassy.toml"
    settings.write_text(settings.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    embassy.start()
    client.health()
    embassy.stop()
    embassy.start()
    assert client.health()


def test_the_check_page_takes_a_file_and_a_text(embassy: EmbassyProcess):
    edge = b"----edge"
    part = b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    kind = {"Content_Type": "multipart/form-data; boundary=" + edge.decode()}
    for name, rest in ((b"file", b'; filename="a.tlog-proof"'), (b"text", b"")):
        form = part % (edge, name, rest, b"hello") + b"--%s--\r\n" % edge
        response, page = ask(embassy, "POST", "/check?lang=en", form, **kind)
        assert response.status == 422
        assert "not a whole receipt" in page.decode()
    form = part % (edge, b"text", b"", bytes(4_000_000)) + b"--%s--\r\n" % edge
    response, page = ask(embassy, "POST", "/check?lang=en", form, **kind)
    assert response.status == 413
    response, page = ask(embassy, "GET", "/check", Accept_Language="en")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert b'<html lang="en">' in page


def test_one_folder_serves_one_process_and_needs_a_policy(embassy: EmbassyProcess):
    with pytest.raises(StoreConflict, match="another process writes"):
        open_embassy(embassy.folder, SystemClock())
    with pytest.raises(StoreConflict, match="another process writes"):
        pin(embassy.folder, embassy.policy.render())
    embassy.stop()
    pin(embassy.folder, embassy.policy.render())
    with pytest.raises(SettingsInvalid, match="another policy is pinned"):
        pin(embassy.folder, embassy.tower.signed(embassy.policy, ["drita"]).render())
    with open_embassy(embassy.folder, SystemClock()) as opened:
        assert opened.mirror.policy == embassy.policy
