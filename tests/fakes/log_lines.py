"""Lines of logs as real programs write them, for the tests of sources and rules."""

from __future__ import annotations

import io
import json
from pathlib import Path

from kulla.watch.sources.batch import Batch, Reject

AUDIT = b"""\
type=SYSCALL msg=audit(1657871400.123:4711): arch=c000003e syscall=59 success=yes exit=0 \
a0=55d1 a1=55d2 a2=55d3 a3=8 items=2 ppid=900 pid=901 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 \
egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="bash" exe="/usr/bin/bash" key="run"\x1dARCH=x86_64 \
SYSCALL=execve AUID="besa" UID="root"
type=EXECVE msg=audit(1657871400.123:4711): argc=3 a0="bash" a1="-c" a2=6375726C20687474703A2F2F78
type=USER_LOGIN msg=audit(1657871400.200:4712): pid=77 uid=0 auid=4294967295 ses=4294967295 \
msg='op=login acct=726F6F74 exe="/usr/sbin/sshd" hostname=? addr=203.0.113.9 res=failed'
type=CWD msg=audit(1657871400.123:4711): cwd="/root"
type=PATH msg=audit(1657871400.123:4711): item=0 name="./x.sh" inode=1 nametype=CREATE
type=PROCTITLE msg=audit(1657871400.123:4711): proctitle=62617368002D63006375726C
"""
AUTH = b"""\
Dec 31 23:59:58 gate sshd[812]: Failed password for invalid user admin from 203.0.113.9 port 4022
Jan  1 00:00:03 gate sudo:    arta : TTY=pts/0 ; PWD=/home/arta ; USER=root ; COMMAND=/bin/ls
Jan  1 00:00:04 gate systemd-logind[400]: New session 5 of user arta.
Jan  1 00:00:05 gate kernel: usb 1-1: new device
"""
ACCESS = (
    b'203.0.113.9 - besa [15/Jul/2022:09:30:00 +0200] "GET /owa/x.aspx?a=1 HTTP/1.1" 200 512 '
    b'"-" "curl/7.68.0"\n'
    b'203.0.113.9 - - [15/Jul/2022:09:30:01 +0200] "\\x16\\x03\\x01" 400 157 "-" "-"\n'
    b'kulla.al:443 198.51.100.4 - - [15/Jul/2022:09:30:02 +0200] "POST /login HTTP/2.0" 302 -\n'
)
ZEEK_TSV = b"""\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tdns
#fields\tts\tuid\tid.orig_h\tid.resp_p\tquery\tanswers\trejected\trtt
#types\ttime\tstring\taddr\tport\tstring\tvector[string]\tbool\tinterval
1657871400.123456\tC1\t10.0.0.5\t53\texample.al\t1.2.3.4,5.6.7.8\tF\t-
1657871401.000001\tC2\t10.0.0.5\t53\t(empty)\t-\tT\t0.25
#close\t2022-07-15-10-00-00
"""
ZEEK_JSON = (
    b'{"ts":1657871400.123456,"uid":"C1","id.orig_h":"10.0.0.5","id.resp_p":502,'
    b'"func":"WRITE_SINGLE_REGISTER","_path":"modbus"}\n'
)
IIS = b"""\
#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2022-07-15 07:30:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
cs(User-Agent) sc-status
2022-07-15 07:30:00 10.0.0.5 POST /_layouts/15/pickers.aspx a=1 443 - 203.0.113.9 curl/7+(x) 200
2022-07-15 07:30:01 10.0.0.5 GET / - 443 KULLA\\besa 10.0.0.9 - 401
2022-07-15 07:30:02 cut off
"""
KULLA = (
    b'{"event":"opened","subject":"aa","purpose":"read","asker":"clerk-1","reason":"desk",'
    b'"process":"keeper","level":"info","timestamp":"2022-07-15T07:30:00.000001Z"}\n'
)
CLOUDTRAIL = json.dumps(
    {
        "Records": [
            {
                "eventVersion": "1.08",
                "eventSource": "s3.amazonaws.com",
                "eventName": "DeleteBucket",
                "eventTime": "2022-07-15T07:30:00Z",
                "userIdentity": {"type": "Root", "arn": "arn:aws:iam::1:root"},
                "requestParameters": {"bucketName": "registers"},
            }
        ]
        * 3
    },
    indent=1,
).encode()
JOURNAL = (
    b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1657871400123456\n_HOSTNAME=gate\n"
    b"SYSLOG_IDENTIFIER=sshd\n_PID=812\nMESSAGE\n\x0c\x00\x00\x00\x00\x00\x00\x00line1\nline\xc3\xab\n"
    b"\n__CURSOR=s=2\n__REALTIME_TIMESTAMP=1657871401000000\nSYSLOG_IDENTIFIER=kernel\nMESSAGE=up\n\n"
)


def events_of(items):
    """(source, number, event) of every event, and the Rejects, of what a source gave."""
    events, rejects = [], []
    for item in items:
        if isinstance(item, Reject):
            rejects.append(item)
            continue
        assert isinstance(item, Batch)
        assert len(item.numbers) == len(item.lines) > 0
        for number, line in zip(item.numbers, item.lines, strict=True):
            event = json.loads(line, parse_constant=_refused)
            assert isinstance(event, dict)
            assert b"\n" not in line
            assert not any(isinstance(value, dict | list) for value in event.values())
            source = (item.product, item.category, item.service)
            events.append((source, number, event))
    return events, rejects


def _refused(word):
    raise AssertionError(f"{word} is no JSON")


def stream(raw: bytes):
    return io.BytesIO(raw)


def write(folder: Path, **files: bytes) -> Path:
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    return folder
