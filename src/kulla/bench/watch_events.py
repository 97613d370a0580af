"""A Windows day made up from a seed: process creations in the shape that Sysmon gives them.

Shapes and sizes follow SigmaHQ's regression data (a median of 2.2 kB a record as it is written
there). The benign part is what workstations and servers of an office run all day; a share of values
can be drawn from recorded attacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from random import Random  # noqa: TID251 - made-up events from a seed; nothing here is secret
from typing import Any, Final

START_US: Final = 1_767_225_600_000_000  # 2026-01-01T00:00Z

_WORDS: Final = [
    "raport",
    "faturim",
    "librezim",
    "kontrata",
    "arkiva",
    "backup",
    "report",
    "invoice",
    "budget",
    "archive",
    "sync",
    "deploy",
    "build",
    "index",
    "client",
    "server",
    "cache",
    "queue",
    "import",
    "export",
    "daily",
    "weekly",
    "nightly",
    "monthly",
    "users",
    "orders",
    "ledger",
    "payroll",
    "health",
    "school",
    "energy",
    "water",
    "portal",
    "gateway",
    "billing",
    "mirror",
    "monitor",
    "metrics",
    "catalog",
    "webapp",
    "intranet",
    "finance",
    "legal",
    "audit",
    "planning",
    "survey",
    "census",
    "transport",
    "customs",
    "cadastre",
    "registry",
]
_SERVICES: Final = [
    "Schedule",
    "wuauserv",
    "BITS",
    "Winmgmt",
    "lfsvc",
    "UsoSvc",
    "TokenBroker",
    "DsSvc",
    "WpnService",
    "CDPUserSvc",
    "StorSvc",
    "AppXSvc",
    "ClipSVC",
    "InstallService",
    "LicenseManager",
    "PcaSvc",
    "SysMain",
    "DPS",
    "iphlpsvc",
]
_WINDOWS: Final = "Microsoft® Windows® Operating System"
_SYSTEM32: Final = "C:\\WINDOWS\\system32\\"
_SYSMON: Final = {
    "Name": "Microsoft-Windows-Sysmon",
    "Guid": "5770385F-C22A-43E0-BF4C-06F5698FFBD9",
}
_DATA_KEYS: Final = ("Image", "CommandLine", "ParentImage", "ParentCommandLine")


def process_events(
    count: int, seed: int, attacks: Sequence[dict[str, str]] = (), attack_share: float = 0.01
) -> Iterator[bytes]:
    """`count` records, one line of JSON each, in the shape that an EVTX reader gives.

    attacks: values of recorded attacks (fields of EventData), of which each event with the
    probability `attack_share` takes one's.
    """
    made = _Maker(Random(seed))  # noqa: S311
    for number in range(1, count + 1):
        data = made.event_data()
        if attacks and made.random.random() < attack_share:
            drawn = made.random.choice(attacks)
            data.update({key: drawn[key] for key in _DATA_KEYS if drawn.get(key)})
        yield json.dumps(made.record(number, data), ensure_ascii=False).encode()


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self._hashes: dict[str, str] = {}
        # What an office's machines run: path, what is typed after it, and what started it.
        text = files("kulla.bench").joinpath("watch_programs.json").read_text("utf-8")
        self._programs: list[dict[str, Any]] = json.loads(text)
        self._weights = [float(one["weight"]) for one in self._programs]
        self._at_us = START_US

    def _filled(self, text: str, user: str = "") -> str:
        """The text with each {name} filled in, anew at each place but for the user."""
        text = text.replace("{user}", user)
        while "{" in text:
            before, _, rest = text.partition("{")
            name, _, after = rest.lstrip("{").partition("}")
            text = before + self._value(name) + after.removeprefix("}")
        return text

    def _value(self, name: str) -> str:
        if name == "word":
            return self.random.choice(_WORDS)
        if name == "n":
            return str(self.random.randrange(10, 100_000))
        if name == "service":
            return self.random.choice(_SERVICES)
        if name == "user":
            return f"{self.random.choice(_WORDS)}{self.random.randrange(40)}"
        if name == "folder":
            first = self.random.choice(("D:\\apps", "C:\\ProgramData", "D:\\data", "E:\\jobs"))
            return "\\".join((first, *self.random.choices(_WORDS, k=self.random.randrange(1, 4))))
        return f"({self._guid()})"

    def _typed(self, program: dict[str, Any], user: str) -> str:
        return self._filled(self.random.choice(program["arguments"]), user)

    def _guid(self) -> str:
        text = f"{self.random.getrandbits(128):032X}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def _hashes_of(self, image: str) -> str:
        if image not in self._hashes:
            bits = self.random.getrandbits
            self._hashes[image] = (
                f"SHA1={bits(160):040X},MD5={bits(128):032X},"
                f"SHA256={bits(256):064X},IMPHASH={bits(128):032X}"
            )
        return self._hashes[image]

    def event_data(self) -> dict[str, Any]:
        """The part of a process creation that Sysmon fills."""
        random = self.random
        program = random.choices(self._programs, self._weights)[0]
        user = self._value("user")
        image, company = self._filled(program["image"], user), program["company"]
        build = f"{random.randrange(17763, 26200)}.{random.randrange(1, 6000)}"
        ours = "Microsoft" in company
        return {
            "RuleName": "-",
            "UtcTime": "2026-01-01 00:00:00.000",
            "ProcessGuid": self._guid(),
            "ProcessId": random.randrange(4, 60_000, 4),
            "Image": image,
            "FileVersion": f"10.0.{build} (WinBuild.160101.0800)",
            "Description": program["description"],
            "Product": _WINDOWS if ours else program["description"],
            "Company": company,
            "OriginalFileName": program["original"],
            "CommandLine": f'"{image}" {self._typed(program, user)}'.rstrip(),
            "CurrentDirectory": random.choice((_SYSTEM32, self._filled("{folder}\\"))),
            "User": f"EXAMPLE\\{user}",
            "LogonGuid": self._guid(),
            "LogonId": f"{random.randrange(1 << 24):#x}",
            "TerminalSessionId": random.randrange(4),
            "IntegrityLevel": random.choice(("System", "Medium", "High", "Medium", "Low")),
            "Hashes": self._hashes_of(image),
            "ParentProcessGuid": self._guid(),
            "ParentProcessId": random.randrange(4, 60_000, 4),
            "ParentImage": self._filled(program["parent"], user),
            "ParentCommandLine": self._filled(program["parent_line"], user),
            "ParentUser": f"EXAMPLE\\{user}",
        }

    def record(self, number: int, data: dict[str, Any]) -> dict[str, Any]:
        """The whole record around the data."""
        self._at_us += self.random.randrange(1, 60_000)
        seconds, micros = divmod(self._at_us - START_US, 1_000_000)
        day, rest = divmod(seconds, 86_400)
        clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}.{micros:06}"
        data["UtcTime"] = f"2026-01-{day % 28 + 1:02} {clock[:-3]}"
        attributes = "#attributes"
        namespace = "http://schemas.microsoft.com/win/2004/08/events/event"
        system = {
            "Provider": {attributes: _SYSMON},
            "EventID": 1, "Version": 5, "Level": 4, "Task": 1, "Opcode": 0,
            "Keywords": "0x8000000000000000",
            "TimeCreated": {attributes: {"SystemTime": f"2026-01-{day % 28 + 1:02}T{clock}Z"}},
            "EventRecordID": number, "Correlation": None,
            "Execution": {attributes: {"ProcessID": 3544, "ThreadID": 4272}},
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Computer": f"ws{self.random.randrange(400):03}.example.al",
            "Security": {attributes: {"UserID": "S-1-5-18"}},
        }  # fmt: skip
        return {"Event": {attributes: {"xmlns": namespace}, "System": system, "EventData": data}}
