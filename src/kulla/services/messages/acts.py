"""The acts of messages: names, versions and shapes of their data (all version 1).

sent     message (32 hex: the same for every attempt at one letter), subject (32 hex: to whom),
         kind (policy.KINDS), about text (the id of what it is about), channel 'mail' | 'phone'
failed   as sent, and why: a code of letters and digits ('given-up', 'unfit' for a letter that
         can't be composed, 'refused-550')
looked   up_to int: all letters that follow from acts below this position are sent, failed, or were
         not wanted, so nobody needs to look there again

No act holds an address or a word of a letter. Shapes live for decades: a change makes a new version
and an upcaster in `service.py`.
"""

from __future__ import annotations

from typing import Final

SERVICE_NAME: Final = "messages"

SENT: Final = "sent"
FAILED: Final = "failed"
LOOKED: Final = "looked"
