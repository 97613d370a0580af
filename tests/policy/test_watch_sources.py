"""Each source reads what programs write, with Sigma's field names, and says what it can't."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from fakes import log_lines
from fakes.log_lines import events_of, stream
from fakes.sigma_oracle import matches
from kulla.watch.rules import own_rules
from kulla.watch.sources import (
    access_log,
    auditd,
    journald,
    json_lines,
    kulla_log,
    syslog,
    w3c,
    zeek,
)
from kulla.watch.sources.mapping import MappingInvalid, mapping_of, own_mappings
from kulla.watch.sources.times import Assumed

JULY_US = 1_657_871_400_123_000


def of(source, events):
    return [event for found, _, event in events if found == source]


def us(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000


def test_audit_records_are_joined_by_their_serial_and_decoded():
    events, rejects = events_of(auditd.read(stream(log_lines.AUDIT), "audit.log"))
    assert not rejects
    records = {event["type"]: event for event in of(auditd.AUDITD, events)}
    assert records.keys() == {"SYSCALL", "EXECVE", "USER_LOGIN", "CWD", "PATH", "PROCTITLE"}
    execve = records["EXECVE"]
    assert (execve["a0"], execve["a2"]) == ("bash", "curl http://x")
    assert (execve["exe"], execve["AUID"], execve["_at_us"]) == ("/usr/bin/bash", "besa", JULY_US)
    assert "key" not in execve
    assert records["SYSCALL"]["key"] == "run"
    assert records["PROCTITLE"]["proctitle"] == "bash -c curl"
    assert records["USER_LOGIN"]["acct"] == "root"
    assert records["USER_LOGIN"]["addr"] == "203.0.113.9"
    assert "exe" in records["USER_LOGIN"]


def test_audit_events_also_become_what_generic_linux_rules_ask_for():
    events, _ = events_of(auditd.read(stream(log_lines.AUDIT), "audit.log"))
    (process,) = of(auditd.PROCESS_CREATION, events)
    assert process["CommandLine"] == "bash -c curl http://x"
    assert (process["Image"], process["User"], process["CurrentDirectory"]) == (
        "/usr/bin/bash",
        "root",
        "/root",
    )
    (created,) = of(auditd.FILE_EVENT, events)
    assert created["TargetFilename"] == "/root/x.sh"


def test_a_call_that_failed_started_no_process():
    failed = log_lines.AUDIT.replace(b"success=yes", b"success=no")
    events, _ = events_of(auditd.read(stream(failed), "audit.log"))
    assert not of(auditd.PROCESS_CREATION, events)
    assert not of(auditd.FILE_EVENT, events)


def test_a_long_argument_is_put_together():
    line = (
        b'type=EXECVE msg=audit(1.0:2): argc=2 a0="x" a1_len=6 a1[0]=6162 a1[1]="cd" a1[2]=6566\n'
    )
    events, _ = events_of(auditd.read(stream(line), "audit.log"))
    assert events[0][2]["a1"] == "abcdef"


def test_a_socket_address_is_decoded():
    line = b"type=SOCKADDR msg=audit(1.0:2): saddr=020001BBCB0071090000000000000000\n"
    events, _ = events_of(auditd.read(stream(line), "audit.log"))
    assert (events[0][2]["laddr"], events[0][2]["lport"]) == ("203.0.113.9", 443)


def test_auth_log_over_new_year_with_a_zone():
    newest = us(2023, 1, 2, 12)
    read = syslog.read(
        stream(log_lines.AUTH), "auth.log", Assumed(ZoneInfo("Europe/Tirane"), newest)
    )
    events, rejects = events_of(read)
    assert not rejects
    assert [source[2] for source, _, _ in sorted(events, key=lambda item: item[1])] == [
        "sshd",
        "sudo",
        "auth",
        "syslog",
    ]
    ssh = of(("linux", "", "sshd"), events)[0]
    assert ssh["_at_us"] == us(2022, 12, 31, 22, 59, 58)
    assert ssh["_at_how"] == "year from the file's date; zone assumed: Europe/Tirane"
    assert (ssh["user"], ssh["src_ip"], ssh["result"]) == ("admin", "203.0.113.9", "failed")
    assert ssh["message"].startswith("Failed password")
    assert of(("linux", "", "sudo"), events)[0]["_at_us"] == us(2022, 12, 31, 23, 0, 3)


def test_a_year_that_nobody_knows_is_left_out():
    events, _ = events_of(syslog.read(stream(log_lines.AUTH), "auth.log"))
    assert all("_at_us" not in event for _, _, event in events)


@pytest.mark.parametrize(
    "line",
    [
        b'<34>1 2022-07-15T09:30:00.123Z gate su 7 ID47 [a@1 k="v\\"w"] \xef\xbb\xbfhello\n',
        b"2022-07-15T11:30:00.123+02:00 gate su[7]: hello\n",
        b"<34>Jul 15 09:30:00 gate su[7]: hello\n",
    ],
)
def test_the_three_forms_of_syslog_say_the_same(line):
    events, rejects = events_of(syslog.read(stream(line), "x", Assumed(newest_us=us(2022, 7, 16))))
    assert not rejects
    ((source, _, event),) = events
    assert source == ("linux", "", "auth")
    assert (event["hostname"], event["program"], event["pid"], event["message"]) == (
        "gate",
        "su",
        7,
        "hello",
    )
    assert event["_at_us"] // 1_000_000 == us(2022, 7, 15, 9, 30) // 1_000_000


def test_structured_data_becomes_fields():
    line = b'<34>1 2022-07-15T09:30:00Z h p - - [a@1 k="v\\"w" l="2"][b x="y"] m\n'
    ((_, _, event),), _ = events_of(syslog.read(stream(line), "x"))
    assert (event["a@1.k"], event["a@1.l"], event["b.x"], event["message"]) == (
        'v"w',
        "2",
        "y",
        "m",
    )


def test_access_logs_in_all_their_forms():
    events, rejects = events_of(access_log.read(stream(log_lines.ACCESS), "access.log"))
    assert not rejects
    first, garbage, host = (event for _, _, event in events)
    assert first["cs-uri-stem"] == "/owa/x.aspx"
    assert first["cs-uri-query"] == first["c-uri"] == "/owa/x.aspx?a=1"
    assert (first["cs-method"], first["sc-status"], first["sc-bytes"]) == ("GET", 200, 512)
    assert (first["cs-username"], first["cs-user-agent"]) == ("besa", "curl/7.68.0")
    assert "cs-referer" not in first
    assert first["_at_us"] == us(2022, 7, 15, 7, 30)
    assert garbage["c-uri"] == "\x16\x03\x01"
    assert "cs-method" not in garbage
    assert (host["cs-host"], host["s-port"], host["sc-bytes"]) == ("kulla.al", "443", 0)


def test_the_log_of_iis_as_sharepoint_writes_it():
    events, rejects = events_of(w3c.read(stream(log_lines.IIS), "u_ex220715.log"))
    first, second = (event for _, _, event in events)
    assert (first["cs-uri-stem"], first["c-uri"]) == (
        "/_layouts/15/pickers.aspx",
        "/_layouts/15/pickers.aspx?a=1",
    )
    assert (first["cs-user-agent"], first["sc-status"], first["s-port"]) == ("curl/7 (x)", 200, 443)
    assert first["_at_us"] == us(2022, 7, 15, 7, 30)
    assert (second["cs-username"], second["cs-uri-query"]) == ("KULLA\\besa", "/")
    assert "cs-user-agent" not in second
    assert [reject.number for reject in rejects] == [7]
    rule = own_rules()["web_sharepoint_shells_of_2022.yml"]
    assert matches(rule, [first, second]) == {0}


def test_zeek_in_tsv_keeps_types_and_leaves_out_what_is_not_set():
    events, rejects = events_of(zeek.read(stream(log_lines.ZEEK_TSV), "dns.log"))
    assert not rejects
    first, second = (event for _, _, event in events)
    assert {source for source, _, _ in events} == {("zeek", "", "dns")}
    assert first["_at_us"] == 1_657_871_400_123_456
    assert (first["id.resp_p"], first["rejected"], first["answers"]) == (
        53,
        False,
        "1.2.3.4,5.6.7.8",
    )
    assert "rtt" not in first
    assert (second["query"], second["rejected"], second["rtt"]) == ("", True, 0.25)
    assert "answers" not in second


def test_zeek_in_json_is_named_by_its_path_the_file_or_its_fields():
    ((source, _, event),), _ = events_of(zeek.read_json(stream(log_lines.ZEEK_JSON), "x"))
    assert source == ("zeek", "", "modbus")
    assert (event["id.resp_p"], event["_at_us"]) == (502, 1_657_871_400_123_456)
    nameless = log_lines.ZEEK_JSON.replace(b',"_path":"modbus"', b"")
    ((source, _, _),), _ = events_of(zeek.read_json(stream(nameless), "logs/modbus.log.gz"))
    assert source == ("zeek", "", "modbus")


def test_the_journal_as_an_export_with_a_binary_field():
    events, rejects = events_of(journald.read_exported(stream(log_lines.JOURNAL), "j"))
    assert not rejects
    (ssh,) = of(("linux", "", "sshd"), events)
    assert ssh["message"] == "line1\nlineë"
    assert (ssh["_at_us"], ssh["hostname"], ssh["pid"]) == (1_657_871_400_123_456, "gate", 812)
    assert [number for _, number, _ in events] == [1, 2]


def test_a_cut_journal_gives_what_is_whole():
    events, rejects = events_of(journald.read_exported(stream(log_lines.JOURNAL[:-5]), "j"))
    assert len(events) == 1
    assert [(reject.number, reject.file) for reject in rejects] == [(2, "j")]


def test_the_journal_as_json_with_bytes_as_numbers():
    line = (
        b'{"__REALTIME_TIMESTAMP":"1657871400123456","SYSLOG_IDENTIFIER":"sudo",'
        b'"MESSAGE":[104,195,171],"_PID":"5"}\n'
    )
    ((source, _, event),), _ = events_of(journald.read(stream(line), "j"))
    assert source == ("linux", "", "sudo")
    assert event["message"] == "hë"


def test_kullas_own_log():
    raw = log_lines.KULLA + b"Traceback (most recent call last):\n"
    events, rejects = events_of(kulla_log.read(stream(raw), "keeper.log"))
    ((source, _, event),) = events
    assert source == ("kulla", "", "keeper")
    assert (event["asker"], event["_at_us"]) == ("clerk-1", us(2022, 7, 15, 7, 30) + 1)
    assert [reject.number for reject in rejects] == [2]


def test_who_of_the_staff_had_data_opened_is_a_field():
    raw = log_lines.KULLA.replace(b'"desk"', b'"clerk 5ec1f: the list of a day"')
    ((_, _, event),), _ = events_of(kulla_log.read(stream(raw), "x"))
    assert (event["staff"], event["staff_role"]) == ("5ec1f", "clerk")
    ((_, _, event),), _ = events_of(kulla_log.read(stream(log_lines.KULLA), "x"))
    assert "staff" not in event


def test_kullas_lines_in_the_journal_are_kullas_events():
    line = json.dumps(
        {"__REALTIME_TIMESTAMP": "1", "_PID": "7", "MESSAGE": log_lines.KULLA.decode().strip()}
    )
    ((source, _, event),), _ = events_of(journald.read(stream(line.encode()), "j"))
    assert source == ("kulla", "", "keeper")
    assert event["event"] == "opened"
    other = line.replace("level", "lvl")
    ((source, _, _),), _ = events_of(journald.read(stream(other.encode()), "j"))
    assert source == ("linux", "", "syslog")


def test_an_embassys_log_is_of_the_embassies():
    raw = log_lines.KULLA.replace(b'"keeper"', b'"embassy north"')
    ((source, _, _),), _ = events_of(kulla_log.read(stream(raw), "x"))
    assert source == ("kulla", "", "embassy")


def mapped(name):
    return next(mapping for mapping in own_mappings() if mapping.name == name)


def test_cloudtrail_flattens_its_records():
    events, rejects = events_of(
        json_lines.read(stream(log_lines.CLOUDTRAIL), "ct.json", mapped("cloudtrail"))
    )
    assert not rejects
    assert [number for _, number, _ in events] == [1, 2, 3]
    source, _, event = events[0]
    assert source == ("aws", "", "cloudtrail")
    assert event["userIdentity.type"] == "Root"
    assert '"bucketName":"registers"' in event["requestParameters"]
    assert event["_at_us"] == us(2022, 7, 15, 7, 30)


def test_m365_chooses_the_service_by_the_workload():
    line = (
        b'{"CreationTime":"2022-07-15T07:30:00","RecordType":1,"Workload":"Exchange",'
        b'"Operation":"New-ManagementRoleAssignment","ResultStatus":"True"}\n'
    )
    ((source, _, event),), _ = events_of(json_lines.read(stream(line), "x", mapped("m365")))
    assert source == ("m365", "", "exchange")
    assert (event["eventName"], event["eventSource"]) == (
        "New-ManagementRoleAssignment",
        "Exchange",
    )
    assert event["_at_how"] == "zone assumed: UTC"


@pytest.mark.parametrize("layout", ["lines", "array", "pretty"])
def test_broken_json_is_rejected_and_the_rest_read(layout):
    raw = {
        "lines": b'{"a":1}\n{"a":\n{"a":2}\n',
        "array": b'[{"a":1},\n{"a":x},\n{"a":2}]',
        "pretty": b'{\n "a": 1\n}\nnonsense\n{\n "a": 2\n}\n',
    }[layout]
    events, rejects = events_of(json_lines.read(stream(raw), "x"))
    assert [event["a"] for _, _, event in events] == [1, 2]
    assert len(rejects) == 1


def test_an_object_larger_than_a_piece_is_read():
    large = b'{"a":"' + b"x" * 3_000_000 + b'","b":{"c":[1,"two"]}}'
    events, rejects = events_of(json_lines.read(stream(large + large), "x"))
    assert not rejects
    assert [event["b.c"] for _, _, event in events] == ["1,two", "1,two"]


def test_json_in_utf_16_as_windows_exports_it():
    events, _ = events_of(json_lines.read(stream('{"a":"ë"}'.encode("utf-16")), "x"))
    assert events[0][2]["a"] == "ë"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "no TOML"),
        ("sources = 1", "has no 'sources'"),
        ("source = 5", "must be a table"),
        ("[source]\nvendor = 'x'", "product, category and service"),
        ("time = [1]", "names in quotes"),
    ],
)
def test_a_wrong_mapping_says_where_and_what(text, words):
    with pytest.raises(MappingInvalid, match=words) as raised:
        mapping_of(text, "mine.toml")
    assert "mine.toml" in str(raised.value)


def test_lines_that_are_nothing_are_rejected_with_their_place():
    for read in (access_log.read, auditd.read, syslog.read, kulla_log.read, zeek.read_json):
        events, rejects = events_of(read(stream(b"\n\nneither this nor that\n"), "f"))
        assert not events
        assert [(reject.file, reject.number) for reject in rejects] == [("f", 3)]
        assert rejects[0].raw == b"neither this nor that"
