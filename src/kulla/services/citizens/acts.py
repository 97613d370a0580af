"""The acts of the citizens register: names, versions and shapes.

registered (version 1)
    subject  text, 32 hex digits      who
    name     bytes                    the name, sealed under the subject's own key
    key      bytes, 32, or absent     SHA-256 name of the blob with the subject's wrapped key; the
                                      journal entry of the act names the same blob

Shapes live for decades: a change makes a new version and an upcaster in `service.py`.
"""

from __future__ import annotations

from typing import Final

SERVICE_NAME: Final = "citizens"

REGISTERED: Final = "registered"
REGISTERED_VERSION: Final = 1
