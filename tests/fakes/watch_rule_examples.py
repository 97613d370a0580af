"""For each rule of ours: events in which it must find something, and events in which it must not.

Each example is a list of events: one for a plain rule, several for a correlation. Times are seconds
under `at`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Events = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Example:
    """What one rule must find, and what it must leave."""

    finds: list[Events]
    leaves: list[Events] = field(default_factory=list)


def one(**fields: Any) -> Events:
    """One event; names with a dash or a dot are given as `fields`."""
    return [dict(fields)]


def many(count: int, every_s: int, event: dict[str, Any], **numbered: str) -> Events:
    """The event again and again; `numbered` fields get a number behind their text."""
    return [
        event
        | {"_at_us": number * every_s * 1_000_000}
        | {name: f"{text}{number}" for name, text in numbered.items()}
        for number in range(count)
    ]


def later(events: Events, second: int) -> Events:
    """The events, their times moved."""
    return [event | {"_at_us": event.get("_at_us", 0) + second * 1_000_000} for event in events]


WRONG = {"event": "code wrong", "source": "s1", "about": "a1"}
MOVED = {"event": "session moved", "session": "x", "source": "s2", "before": "s1"}
OPENED = {"event": "opened", "reason": "clerk 07: a day", "staff": "07", "staff_role": "clerk"}
OWN = {"event": "opened", "reason": "name on one's own pages"}
HELD = {"event": "time held", "subject": "p1"}

KULLA = {
    "kulla_guessing_codes_from_one_source": Example(
        [many(15, 10, WRONG, about="a")],
        [
            many(14, 10, WRONG, about="a"),
            many(15, 60, WRONG, about="a"),
            many(15, 1, WRONG, source="s"),
        ],
    ),
    "kulla_guessing_codes_of_one_person": Example(
        [many(10, 300, WRONG, source="s")],
        [many(9, 300, WRONG, source="s"), many(10, 30, WRONG, about="a")],
    ),
    "kulla_code_wrong": Example([[WRONG]], [one(event="signed in")]),
    "kulla_session_in_two_places": Example(
        [many(6, 60, MOVED)],
        [many(5, 60, MOVED), many(6, 180, MOVED), many(6, 1, MOVED, session="x")],
    ),
    "kulla_session_moved": Example([[MOVED]], [one(event="signed in", session="x")]),
    "kulla_staff_session_moved": Example(
        [[MOVED | {"role": "clerk"}], [MOVED | {"role": "operator"}]],
        [[MOVED | {"role": "citizen"}]],
    ),
    "kulla_clerk_out_of_hours": Example(
        [
            one(event="staff acted", role="clerk", timestamp="2022-07-15T22:59:00Z"),
            one(event="staff acted", role="clerk", timestamp="2022-07-15T03:00:00.5Z"),
        ],
        [
            one(event="staff acted", role="clerk", timestamp="2022-07-15T08:00:00Z"),
            one(event="staff acted", role="operator", timestamp="2022-07-15T22:59:00Z"),
            one(event="signed in", role="clerk", timestamp="2022-07-15T22:59:00Z"),
        ],
    ),
    "kulla_holds_hoarded": Example(
        [many(20, 20, HELD, slot="t")],
        [
            many(19, 20, HELD, slot="t"),
            many(30, 1, HELD | {"slot": "t"}),
            many(20, 40, HELD, slot="t"),
        ],
    ),
    "kulla_time_held": Example([[HELD | {"slot": "t"}]], [[OPENED]]),
    "kulla_bulk_openings": Example(
        [many(50, 10, OPENED, subject="p"), many(50, 10, OPENED, subject="p", reason="r")],
        [
            many(49, 10, OPENED, subject="p"),
            many(60, 1, OPENED | {"subject": "p"}),
            many(60, 1, OPENED, subject="p", staff="c"),
            many(60, 1, OWN, subject="p"),
        ],
    ),
    "kulla_opened_for_staff": Example(
        [[OPENED], [OPENED | {"staff_role": "custodian"}]], [[OWN], [OPENED | {"event": "alarm"}]]
    ),
    "kulla_canary_opened": Example(
        [[OPENED | {"subject": "canary-1"}]], [[OPENED | {"subject": "p1"}]]
    ),
    "kulla_seal_broken": Example(
        [one(event="sealed field does not open", subject="p1")], [[OPENED | {"subject": "p1"}]]
    ),
    "kulla_journal_fork": Example(
        [
            one(event="checkpoint refused", kind="fork", origin="o"),
            one(event="alarm", kind="fork", place="north"),
            one(event="alarm", kind="disowned", place="position 7"),
            one(event="the embassy holds another history under this home's key", embassy="north"),
        ],
        [one(event="checkpoint refused", kind="unproven"), one(event="alarm", kind="embassy")],
    ),
    "kulla_false_cosignature": Example(
        [one(event="false cosignature", embassy="north")], [one(event="embassy behind")]
    ),
    "kulla_epoch_sealed": Example(
        [
            one(event="log sealed", origin="o", size=7),
            one(event="this epoch is sealed: another site took over", embassy="north"),
        ],
        [one(event="policy replaced", version=2)],
    ),
    "kulla_embassy_silent": Example(
        [one(event="alarm", kind="embassy", place="north")],
        [one(event="alarm over", kind="embassy", place="north"), one(event="alarm", kind="home")],
    ),
    "kulla_embassies_silent_together": Example(
        [many(2, 200, {"event": "embassy behind"}, embassy="e")],
        [
            many(9, 20, {"event": "embassy behind", "embassy": "e"}),
            many(2, 301, {"event": "embassy behind"}, embassy="e"),
        ],
    ),
    "kulla_embassy_behind": Example([one(event="embassy behind", embassy="e")], [[OPENED]]),
}


def request(stem: str, status: int) -> Events:
    """A request to a web server."""
    return [{"cs-method": "POST", "cs-uri-stem": stem, "sc-status": status}]


SID = "S-1-5-21-1-2-3-500"
LAYOUTS = (
    r"C:\Program Files\Common Files\microsoft shared\Web Server Extensions\16\TEMPLATE\LAYOUTS"
)
DC, HOST = r"C:\Windows\System32", "dc1"
VSS = {
    "Computer": HOST,
    "Image": rf"{DC}\vssadmin.exe",
    "CommandLine": "vssadmin.exe Delete Shadows /all /quiet",
}
OFF = {
    "Computer": HOST,
    "Image": rf"{DC}\WindowsPowerShell\v1.0\powershell.exe",
    "CommandLine": "Set-MpPreference -DisableRealtimeMonitoring $true",
}
LCK = {"Computer": HOST}
SEARCH = {"Computer": "mail1", "Data": "Cmdlet Search-Mailbox -Identity minister"}

ATTACK_OF_2022 = {
    "web_sharepoint_shells_of_2022": Example(
        [request("/_layouts/15/pickers.aspx", 200), request("/x/clientbin.ASPX", 302)],
        [request("/_layouts/15/pickers.aspx", 404), request("/_layouts/15/picker.aspx", 200)],
    ),
    "file_event_win_sharepoint_shells_of_2022": Example(
        [one(TargetFilename=rf"{LAYOUTS}\error4.aspx")],
        [one(TargetFilename=rf"{LAYOUTS}\error.aspx")],
    ),
    "file_event_win_aspx_by_web_server": Example(
        [one(Image=r"C:\Windows\System32\inetsrv\w3wp.exe", TargetFilename=rf"{LAYOUTS}\a.aspx")],
        [
            one(Image=r"C:\Windows\System32\inetsrv\w3wp.exe", TargetFilename=rf"{LAYOUTS}\a.png"),
            one(Image=r"C:\Windows\explorer.exe", TargetFilename=rf"{LAYOUTS}\a.aspx"),
        ],
    ),
    "proc_creation_win_web_server_shell": Example(
        [
            one(
                ParentImage=r"C:\inetsrv\w3wp.exe",
                Image=rf"{DC}\cmd.exe",
                CommandLine="cmd /c whoami",
            )
        ],
        [
            one(ParentImage=r"C:\Windows\explorer.exe", Image=rf"{DC}\cmd.exe"),
            one(
                ParentImage=r"C:\inetsrv\w3wp.exe",
                Image=rf"{DC}\cmd.exe",
                CommandLine=r"cmd /c C:\Windows\Microsoft.NET\Framework64\csc.exe @x",
            ),
        ],
    ),
    "win_exchange_impersonation_granted": Example(
        [one(Data="Cmdlet New-ManagementRoleAssignment -Role ApplicationImpersonation -User x")],
        [one(Data="Cmdlet New-ManagementRoleAssignment -Role View-Only"), one(Data="Get-Mailbox")],
    ),
    "m365_exchange_impersonation_granted": Example(
        [
            one(
                eventName="New-ManagementRoleAssignment",
                Parameters='[{"Value":"ApplicationImpersonation"}]',
            )
        ],
        [one(eventName="New-ManagementRoleAssignment", Parameters='[{"Value":"Reader"}]')],
    ),
    "win_exchange_mailbox_searches": Example(
        [many(5, 600, SEARCH)],
        [many(4, 600, SEARCH), many(5, 901, SEARCH), many(5, 1, SEARCH, Computer="m")],
    ),
    "win_exchange_mailbox_search": Example([[SEARCH]], [one(Data="Cmdlet Get-Mailbox")]),
    "win_security_rdp_by_builtin_administrator": Example(
        [one(EventID=4624, LogonType=10, TargetUserSid=SID)],
        [
            one(EventID=4624, LogonType=2, TargetUserSid=SID),
            one(EventID=4624, LogonType=10, TargetUserSid="S-1-5-21-1-2-3-1500"),
        ],
    ),
    "win_security_admin_share_by_builtin_administrator": Example(
        [one(EventID=5140, SubjectUserSid=SID, ShareName=r"\\*\ADMIN$", IpAddress="10.0.0.9")],
        [
            one(EventID=5140, SubjectUserSid=SID, ShareName=r"\\*\ADMIN$", IpAddress="::1"),
            one(EventID=5140, SubjectUserSid=SID, ShareName=r"\\*\SYSVOL", IpAddress="10.0.0.9"),
            one(EventID=5140, SubjectUserSid="S-1-5-18", ShareName=r"\\*\C$", IpAddress="10.0.0.9"),
        ],
    ),
    "proc_creation_win_tools_of_2022": Example(
        [
            one(Image=r"C:\Users\Public\goxml.exe", CommandLine="goxml.exe 10.0.0.1"),
            one(Image=r"C:\x.exe", OriginalFileName="Mellona.exe", CommandLine="x"),
            one(Image=rf"{DC}\cmd.exe", CommandLine=r"cmd /c C:\temp\win.bat"),
        ],
        [
            one(Image=rf"{DC}\cmd.exe", CommandLine=r"cmd /c C:\temp\darwin.bat"),
            one(Image=rf"{DC}\notepad.exe", CommandLine="notepad GoXML.exe.txt"),
        ],
    ),
    "file_event_win_tools_of_2022": Example(
        [
            one(TargetFilename=r"C:\x\rwdsk.sys"),
            one(TargetFilename=r"D:\How_To_Unlock_MyFiles.txt"),
        ],
        [one(TargetFilename=r"C:\x\disk.sys")],
    ),
    "driver_load_win_raw_disk_of_2022": Example(
        [
            one(ImageLoaded=r"C:\x\RWDSK.sys"),
            one(ImageLoaded=r"C:\x\y.sys", Signature="EldoS Corporation"),
        ],
        [one(ImageLoaded=r"C:\Windows\System32\drivers\disk.sys", Signature="Microsoft Windows")],
    ),
    "win_system_raw_disk_service_of_2022": Example(
        [
            one(Provider_Name="Service Control Manager", EventID=7045, ServiceName="RawDisk3"),
            one(
                Provider_Name="Service Control Manager",
                EventID=7045,
                ImagePath=r"\??\C:\x\rwdsk.sys",
            ),
        ],
        [
            one(Provider_Name="Service Control Manager", EventID=7036, ServiceName="RawDisk3"),
            one(Provider_Name="Service Control Manager", EventID=7045, ServiceName="Spooler"),
        ],
    ),
    "proc_creation_win_recovery_removed": Example(
        [
            [VSS],
            one(
                Image=rf"{DC}\bcdedit.exe", CommandLine="bcdedit /set {default} recoveryenabled No"
            ),
            one(Image=rf"{DC}\wbem\WMIC.exe", CommandLine="wmic shadowcopy delete"),
            one(Image=rf"{DC}\wbadmin.exe", CommandLine="wbadmin delete catalog -quiet"),
            one(CommandLine="Get-WmiObject Win32_ShadowCopy | % { $_.Delete() }"),
            one(Image=rf"{DC}\vssadmin.exe", CommandLine="resize shadowstorage /maxsize=401MB"),
        ],
        [
            one(Image=rf"{DC}\vssadmin.exe", CommandLine="vssadmin list shadows"),
            one(Image=rf"{DC}\bcdedit.exe", CommandLine="bcdedit /enum"),
        ],
    ),
    "proc_creation_win_defender_off": Example(
        [
            [OFF],
            one(CommandLine=r"reg add HKLM\..\Windows Defender /v DisableAntiSpyware /d 1"),
            one(CommandLine="sc stop WinDefend"),
        ],
        [
            one(CommandLine="Set-MpPreference -DisableRealtimeMonitoring $false"),
            one(CommandLine="sc query WinDefend"),
        ],
    ),
    "win_wiper_after_preparation": Example(
        [later([OFF], 0) + later([VSS], 3600), later([VSS], 0) + later([OFF], 5)],
        [
            later([OFF], 0) + later([VSS], 3601),
            later([OFF], 0) + later([VSS | {"Computer": "b"}], 5),
        ],
    ),
    "win_logs_cleared": Example(
        [
            one(EventID=1102, Provider_Name="Microsoft-Windows-Eventlog"),
            one(EventID=104, Provider_Name="Microsoft-Windows-Eventlog"),
        ],
        [
            one(EventID=1102, Provider_Name="Something else"),
            one(EventID=1100, Provider_Name="Microsoft-Windows-Eventlog"),
        ],
    ),
    "proc_creation_win_logs_cleared": Example(
        [
            one(Image=rf"{DC}\wevtutil.exe", CommandLine="wevtutil cl Security"),
            one(CommandLine="Clear-EventLog -LogName Security"),
        ],
        [one(Image=rf"{DC}\wevtutil.exe", CommandLine="wevtutil el")],
    ),
    "win_mass_rename_to_lck": Example(
        [many(30, 2, LCK | {"TargetFilename": "d.docx.lck"})],
        [
            many(29, 2, LCK | {"TargetFilename": "d.docx.lck"}),
            many(30, 3, LCK | {"TargetFilename": "d.docx.lck"}),
            many(30, 1, LCK | {"TargetFilename": "d.docx"}),
        ],
    ),
    "win_lck_written": Example([one(TargetFilename="a.LCK")], [one(TargetFilename="a.lck.txt")]),
    "win_lck_renamed": Example([one(TargetFilename="a.LCK")], [one(TargetFilename="a.lck.txt")]),
}

FAILED = {"result": "failed", "src_ip": "203.0.113.9", "user": "root"}
ACCEPTED = {"result": "accepted", "src_ip": "203.0.113.9", "user": "root"}
GUESSES = many(10, 10, FAILED)
REFUSED = {"id.orig_h": "10.0.0.5", "func": "READ_COILS", "exception": "ILLEGAL_FUNCTION"}

OTHERS = {
    "lnx_ssh_guessing_then_in": Example(
        [GUESSES + later([ACCEPTED], 100)],
        [
            later([ACCEPTED], 0) + later(GUESSES, 1),
            GUESSES + later([ACCEPTED | {"src_ip": "10.0.0.1"}], 100),
            GUESSES[:9] + later([ACCEPTED], 100),
        ],
    ),
    "lnx_ssh_guessed_at": Example([GUESSES], [many(10, 70, FAILED), GUESSES[:9]]),
    "lnx_ssh_guessing": Example([GUESSES], [GUESSES[:9]]),
    "lnx_ssh_failed": Example([[FAILED]], [[ACCEPTED]]),
    "lnx_ssh_accepted": Example([[ACCEPTED]], [[FAILED]]),
    "zeek_modbus_write": Example(
        [one(func="WRITE_SINGLE_REGISTER"), one(func="MASK_WRITE_REGISTER")],
        [one(func="READ_COILS"), one(func="WRITE_SINGLE_COIL", exception="ILLEGAL_FUNCTION")],
    ),
    "zeek_modbus_scan": Example(
        [many(10, 30, REFUSED)], [many(9, 30, REFUSED), many(10, 34, REFUSED)]
    ),
    "zeek_modbus_refused": Example([[REFUSED]], [one(func="READ_COILS")]),
    "zeek_s7comm_write_or_stop": Example(
        [
            one(rosctr_name="Job Request", function_name="Write Variable"),
            one(rosctr_name="Job Request", function_name="PLC Stop"),
            one(rosctr_name="Job Request", function_name="Request Download"),
        ],
        [
            one(rosctr_name="Ack-Data", function_name="Write Variable"),
            one(rosctr_name="Job Request", function_name="Read Variable"),
        ],
    ),
    "zeek_dnp3_control": Example(
        [one(fc_request="DIRECT_OPERATE"), one(fc_request="cold_restart")],
        [one(fc_request="READ"), one(fc_request="CONFIRM")],
    ),
}
EXAMPLES: dict[str, Example] = KULLA | ATTACK_OF_2022 | OTHERS
