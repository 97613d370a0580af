"""A Windows day made up from a seed: process creations in the shape that Sysmon gives them.

Shapes and sizes follow SigmaHQ's regression data (a median of 2.2 kB a record as it is written
there). The benign part is what workstations and servers of an office run all day; a share of values
can be drawn from recorded attacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random  # noqa: TID251 - made-up events from a seed; nothing here is secret
from typing import Any, Final

START_US: Final = 1_767_225_600_000_000  # 2026-01-01T00:00Z

# Path, original file name, description, company; then what is typed after it, {} is filled in.
_PROGRAMS: Final = (
    (r"C:\Windows\System32\svchost.exe", "svchost.exe", "Host Process for Windows Services", "Microsoft Corporation", ("-k netsvcs -p -s {service}", "-k LocalServiceNetworkRestricted -p -s {service}", "-k UnistackSvcGroup -s {service}")),
    (r"C:\Windows\System32\conhost.exe", "CONHOST.EXE", "Console Window Host", "Microsoft Corporation", ("0xffffffff -ForceV1", "0x4")),
    (r"C:\Windows\System32\cmd.exe", "Cmd.Exe", "Windows Command Processor", "Microsoft Corporation", ('/c "{folder}\\{word}.bat"', '/d /s /c "{folder}\\node_modules\\.bin\\{word}.cmd --{word} {n}"', "/c dir {folder}")),
    (r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe", "PowerShell.EXE", "Windows PowerShell", "Microsoft Corporation", ('-NonInteractive -File "{folder}\\{word}.ps1" -{word} {n}', '-Command "Get-{word} -Name {word} | Select-Object {word},{word} | Export-Csv {folder}\\{word}-{n}.csv"')),
    (r"C:\Windows\System32\taskhostw.exe", "taskhostw.exe", "Host Process for Windows Tasks", "Microsoft Corporation", ("", "{{guid}}", "-RegisterDevice -SettingChange -Full")),
    (r"C:\Windows\System32\dllhost.exe", "dllhost.exe", "COM Surrogate", "Microsoft Corporation", ("/Processid:{guid}",)),
    (r"C:\Windows\System32\wbem\WmiPrvSE.exe", "Wmiprvse.exe", "WMI Provider Host", "Microsoft Corporation", ("-secured -Embedding",)),
    (r"C:\Windows\System32\RuntimeBroker.exe", "RuntimeBroker.exe", "Runtime Broker", "Microsoft Corporation", ("-Embedding",)),
    (r"C:\Windows\System32\SearchProtocolHost.exe", "SearchProtocolHost.exe", "Microsoft Windows Search Protocol Host", "Microsoft Corporation", ("Global\\UsGthrFltPipeMssGthrPipe{n}_ Global\\UsGthrCtrlFltPipeMssGthrPipe{n} 1 -2147483646 \"Software\\Microsoft\\Windows Search\" \"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT; MS Search 4.0 Robot)\" \"C:\\ProgramData\\Microsoft\\Search\\Data\\Temp\\usgthrsvc\" \"DownLevelDaemon\"",)),
    (r"C:\Program Files\Google\Chrome\Application\chrome.exe", "chrome.exe", "Google Chrome", "Google LLC", ("--type=renderer --extension-process --display-capture-permissions-policy-allowed --lang=sq --device-scale-factor=1 --num-raster-threads=4 --enable-main-frame-before-activation --renderer-client-id={n} --time-ticks-at-unix-epoch=-{n}{n} --launch-time-ticks={n}{n} --field-trial-handle={n},i,{n}{n},{n}{n},262144 --variations-seed-version=20251201 --mojo-platform-channel-handle={n} /prefetch:2", "--type=utility --utility-sub-type=network.mojom.NetworkService --lang=sq --service-sandbox-type=none --field-trial-handle={n},i,{n}{n},262144 --variations-seed-version --mojo-platform-channel-handle={n} /prefetch:11")),
    (r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe", "msedge.exe", "Microsoft Edge", "Microsoft Corporation", ("--type=renderer --string-annotations --noerrdialogs --user-data-dir=\"C:\\Users\\{user}\\AppData\\Local\\Microsoft\\Edge\\User Data\" --lang=sq --renderer-client-id={n} --mojo-platform-channel-handle={n} /prefetch:1", "--single-argument https://{word}.example.al/{word}/{n}?{word}={n}")),
    (r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE", "WinWord.exe", "Microsoft Word", "Microsoft Corporation", ('/n "C:\\Users\\{user}\\Documents\\{word} {word} {n}.docx" /o ""', '/n "\\\\files01\\{word}\\{word}\\{word}-{n}.docx"')),
    (r"C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE", "Excel.exe", "Microsoft Excel", "Microsoft Corporation", ('"C:\\Users\\{user}\\Documents\\{word}\\{word}-{n}.xlsx"',)),
    (r"C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE", "Outlook.exe", "Microsoft Outlook", "Microsoft Corporation", ("", "/recycle")),
    (r"C:\Program Files\Git\cmd\git.exe", "git.exe", "Git for Windows", "The Git Development Community", ("-c core.quotepath=false -c log.showSignature=false fetch origin --progress --prune {word}/{word}-{n}", "status --porcelain=v2 --untracked-files={word}")),
    (r"C:\Program Files\nodejs\node.exe", "node.exe", "Node.js JavaScript Runtime", "Node.js", ("{folder}\\node_modules\\{word}\\dist\\{word}.js --watch --port {n} --config {folder}\\{word}.config.json",)),
    (r"C:\Program Files\Java\jdk-21\bin\java.exe", "java.exe", "OpenJDK Platform binary", "Eclipse Adoptium", ("-Xmx{n}m -Dfile.encoding=UTF-8 -Dapp.home={folder} -Dserver.port={n} -cp {folder}\\lib\\{word}-{n}.jar;{folder}\\lib\\{word}.jar;{folder}\\lib\\{word}-core.jar al.example.{word}.Main --profile {word}",)),
    (r"C:\Program Files\Python312\python.exe", "python.exe", "Python", "Python Software Foundation", ("{folder}\\{word}.py --input {folder}\\{word}-{n}.csv --{word} {n}", "-m {word} --workers {n}")),
    (r"C:\Program Files\Windows Defender\MpCmdRun.exe", "MpCmdRun.exe", "Microsoft Malware Protection Command Line Utility", "Microsoft Corporation", ("SignatureUpdate -ScheduleJob -RestrictPrivileges -Reinvoke", "Scan -ScheduleJob -RestrictPrivileges -DailyScan")),
    (r"C:\Windows\System32\inetsrv\w3wp.exe", "w3wp.exe", "IIS Worker Process", "Microsoft Corporation", ('-ap "{word}" -v "v4.0" -l "webengine4.dll" -a \\\\.\\pipe\\iisipm{guid} -h "C:\\inetpub\\temp\\apppools\\{word}\\{word}.config" -w "" -m 0 -t 20 -ta 0',)),
    (r"C:\Windows\System32\msiexec.exe", "msiexec.exe", "Windows installer", "Microsoft Corporation", ("/V", '/i "{folder}\\{word}-{n}.msi" /qn REBOOT=ReallySuppress')),
    (r"C:\Windows\System32\rundll32.exe", "RUNDLL32.EXE", "Windows host process (Rundll32)", "Microsoft Corporation", ("C:\\WINDOWS\\system32\\PcaSvc.dll,PcaPatchSdbTask", "C:\\Windows\\System32\\shell32.dll,SHCreateLocalServerRunDll {guid} -Embedding")),
    (r"C:\Windows\System32\sc.exe", "sc.exe", "Service Control Manager Configuration Tool", "Microsoft Corporation", ("query {service}", "start {service}")),
    (r"C:\Windows\System32\reg.exe", "reg.exe", "Registry Console Tool", "Microsoft Corporation", ("query HKLM\\SOFTWARE\\{word}\\{word} /v {word}",)),
    (r"C:\Windows\System32\net.exe", "net.exe", "Net Command", "Microsoft Corporation", ("use {word}: \\\\files01\\{word} /persistent:yes",)),
    (r"C:\Windows\System32\ipconfig.exe", "ipconfig.exe", "IP Configuration Utility", "Microsoft Corporation", ("/all", "")),
    (r"C:\Program Files\7-Zip\7zG.exe", "7zg.exe", "7-Zip GUI", "Igor Pavlov", ('a -i#7zMap{n}#7zEvent{n} -ad -saa -- "{folder}\\{word}-{n}"',)),
    (r"C:\Program Files\Microsoft SQL Server\MSSQL16.MSSQLSERVER\MSSQL\Binn\sqlservr.exe", "SQLSERVR.EXE", "SQL Server Windows NT - 64 Bit", "Microsoft Corporation", ("-sMSSQLSERVER",)),
    (r"C:\ProgramData\Monitoring\agent\agent.exe", "agent.exe", "Monitoring agent", "Example Monitoring", ("check --id {n} --target {word}.example.al:{n} --timeout {n}",)),
    (r"C:\Users\{user}\AppData\Local\Microsoft\Teams\current\Teams.exe", "Teams.exe", "Microsoft Teams", "Microsoft Corporation", ("--type=renderer --enable-wer --user-data-dir=\"C:\\Users\\{user}\\AppData\\Roaming\\Microsoft\\Teams\" --app-path=\"C:\\Users\\{user}\\AppData\\Local\\Microsoft\\Teams\\current\\resources\\app.asar\" --renderer-client-id={n} --mojo-platform-channel-handle={n} /prefetch:1",)),
)  # fmt: skip  # noqa: E501
_WORDS: Final = (
    "raport faturim librezim kontrata arkiva backup report invoice budget archive sync deploy build "
    "index client server cache queue import export daily weekly nightly monthly users orders ledger "
    "payroll health school energy water portal gateway billing mirror monitor metrics catalog webapp "
    "intranet finance legal audit planning survey census transport customs cadastre registry"
).split()
_SERVICES: Final = (
    "Schedule wuauserv BITS Winmgmt lfsvc UsoSvc TokenBroker DsSvc WpnService CDPUserSvc "
    "StorSvc AppXSvc ClipSVC InstallService LicenseManager PcaSvc SysMain DPS iphlpsvc"
).split()
_PARENTS: Final = (
    (r"C:\Windows\System32\services.exe", r"C:\WINDOWS\system32\services.exe"),
    (r"C:\Windows\explorer.exe", r"C:\WINDOWS\Explorer.EXE"),
    (
        r"C:\Windows\System32\svchost.exe",
        r"C:\WINDOWS\system32\svchost.exe -k netsvcs -p -s Schedule",
    ),
    (
        r"C:\Windows\System32\svchost.exe",
        r"C:\WINDOWS\system32\svchost.exe -k DcomLaunch -p -s PlugPlay",
    ),
)
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
        self._at_us = START_US

    def _filled(self, text: str) -> str:
        """The text with each {name} filled in, anew at each place."""
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
        path, original, description, company, lines = random.choice(_PROGRAMS)
        image = self._filled(path)
        user = self._value("user")
        parent, parent_line = random.choice(_PARENTS)
        if random.random() < 0.5:
            other = random.choice(_PROGRAMS)
            parent = self._filled(other[0])
            parent_line = f'"{parent}" {self._filled(random.choice(other[4]))}'
        return {
            "RuleName": "-",
            "UtcTime": "2026-01-01 00:00:00.000",
            "ProcessGuid": self._guid(),
            "ProcessId": random.randrange(4, 60_000, 4),
            "Image": image,
            "FileVersion": f"10.0.{random.randrange(17763, 26200)}.{random.randrange(1, 6000)} (WinBuild.160101.0800)",
            "Description": description,
            "Product": "Microsoft® Windows® Operating System" if "Microsoft" in company else description,
            "Company": company,
            "OriginalFileName": original,
            "CommandLine": f'"{image}" {self._filled(random.choice(lines))}'.rstrip(),
            "CurrentDirectory": random.choice(("C:\\WINDOWS\\system32\\", self._filled("{folder}\\"))),
            "User": f"EXAMPLE\\{user}",
            "LogonGuid": self._guid(),
            "LogonId": f"{random.randrange(1 << 24):#x}",
            "TerminalSessionId": random.randrange(4),
            "IntegrityLevel": random.choice(("System", "Medium", "High", "Medium", "Low")),
            "Hashes": self._hashes_of(image),
            "ParentProcessGuid": self._guid(),
            "ParentProcessId": random.randrange(4, 60_000, 4),
            "ParentImage": parent,
            "ParentCommandLine": parent_line,
            "ParentUser": f"EXAMPLE\\{user}",
        }  # fmt: skip

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
            "Provider": {attributes: {"Name": "Microsoft-Windows-Sysmon", "Guid": "5770385F-C22A-43E0-BF4C-06F5698FFBD9"}},
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
