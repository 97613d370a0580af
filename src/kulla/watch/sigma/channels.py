"""Channels of Windows that SigmaHQ's rules speak of, and pySigma's pipeline does not know yet.

Names are those under which Windows registers the logs, and which Microsoft's own pages use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.watch.sigma.routes import CHANNEL
from kulla.watch.sigma.tree import All, Node, Test

_CHANNELS: Final[Mapping[str, str]] = {
    "iis-configuration": "Microsoft-IIS-Configuration/Operational",
    "ldap": "Microsoft-Windows-LDAP-Client/Debug",
    "smbclient-connectivity": "Microsoft-Windows-SmbClient/Connectivity",
    "smbserver-connectivity": "Microsoft-Windows-SMBServer/Connectivity",
}


def on_channel(node: Node, service: str) -> Node:
    """The condition, with the channel of this service where we know it; else as it is."""
    channel = _CHANNELS.get(service)
    return node if channel is None else All((Test(CHANNEL, "text", (channel,)), node))
