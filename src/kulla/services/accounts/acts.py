"""The acts of accounts: names, versions and shapes of their data (all version 1).

`subject`, `guardian`, `ward` are 32 hex digits; tokens and hashes are 32 bytes; `sealed` values are
bytes sealed under the subject's own key (an address as the field of its kind, 'mail' or 'phone',
a passkey's label as 'label'); days are text 'YYYY-MM-DD', '' where there is no end.

opened                   subject, mail (sealed), mail_token, language; key 32 bytes or absent: the
                         name of the blob with the subject's wrapped key, which the entry names too
address_added            subject, kind 'mail' | 'phone', token, sealed
address_removed          subject, token
passkey_added            subject, credential (base64url text), public_key (COSE), label (sealed) |
                         None, transports text, backed_up bool
passkey_removed          subject, credential
identity_linked          subject, issuer text, token
identity_unlinked        subject, token
preferences_set          subject, language 'sq' | 'en', reminders 'mail' | 'none'
identified               subject, number (token), document 'id-card' | 'passport' | 'other'
related                  relation, guardian, ward, kind 'child', until_day
attorney_offered         subject (who is acted for), secret_hash, until_day
attorney_withdrawn       subject, secret_hash
attorney_accepted        relation, guardian, ward, secret_hash, until_day
relation_ended           relation, guardian, ward
role_proposed            proposal, subject, role, add bool
role_proposal_withdrawn  proposal
role_granted             subject, role, proposal, proposed_by     (both '' at the founding)
role_revoked             subject, role, proposal, proposed_by     (both '' where one did it alone)
api_token_issued         token_hash, scopes [text], holder (subject, '' for an operator's), name (''
                         for a citizen's), label (sealed) | None
api_token_revoked        token_hash

Shapes live for decades: a change makes a new version and an upcaster in `service.py`.
"""

from __future__ import annotations

from typing import Final

SERVICE_NAME: Final = "accounts"

OPENED: Final = "opened"
ADDRESS_ADDED: Final = "address_added"
ADDRESS_REMOVED: Final = "address_removed"
PASSKEY_ADDED: Final = "passkey_added"
PASSKEY_REMOVED: Final = "passkey_removed"
IDENTITY_LINKED: Final = "identity_linked"
IDENTITY_UNLINKED: Final = "identity_unlinked"
PREFERENCES_SET: Final = "preferences_set"
IDENTIFIED: Final = "identified"
RELATED: Final = "related"
ATTORNEY_OFFERED: Final = "attorney_offered"
ATTORNEY_WITHDRAWN: Final = "attorney_withdrawn"
ATTORNEY_ACCEPTED: Final = "attorney_accepted"
RELATION_ENDED: Final = "relation_ended"
ROLE_PROPOSED: Final = "role_proposed"
ROLE_PROPOSAL_WITHDRAWN: Final = "role_proposal_withdrawn"
ROLE_GRANTED: Final = "role_granted"
ROLE_REVOKED: Final = "role_revoked"
API_TOKEN_ISSUED: Final = "api_token_issued"  # noqa: S105 - the name of an act
API_TOKEN_REVOKED: Final = "api_token_revoked"  # noqa: S105 - the name of an act
