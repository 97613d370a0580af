"""Accounts as one value: commands and acts by name, for the scribe and the rebuild."""

from __future__ import annotations

from typing import Final

from kulla.kernel.service import ActType, CommandType, Service
from kulla.services.accounts import acts, api_tokens, apply, gather, policy, relations, staff

SERVICE: Final = Service(
    name=acts.SERVICE_NAME,
    commands={
        "open": CommandType(gather.for_account, policy.open_account),
        "add_address": CommandType(gather.for_account, policy.add_address),
        "remove_address": CommandType(gather.for_account, policy.remove_address),
        "add_passkey": CommandType(gather.for_account, policy.add_passkey),
        "remove_passkey": CommandType(gather.for_account, policy.remove_passkey),
        "link_identity": CommandType(gather.for_account, policy.link_identity),
        "unlink_identity": CommandType(gather.for_account, policy.unlink_identity),
        "set_preferences": CommandType(gather.for_account, policy.set_preferences),
        "identify": CommandType(gather.for_number, relations.identify),
        "relate": CommandType(gather.for_relation, relations.relate),
        "grant_attorney": CommandType(gather.for_relation, relations.grant_attorney),
        "withdraw_attorney": CommandType(gather.for_relation, relations.withdraw_attorney),
        "accept_attorney": CommandType(gather.for_relation, relations.accept_attorney),
        "end_relation": CommandType(gather.for_relation, relations.end_relation),
        "found_staff": CommandType(gather.for_founding, staff.found_staff),
        "propose_role": CommandType(gather.for_role, staff.propose_role),
        "approve_role": CommandType(gather.for_role, staff.approve_role),
        "withdraw_role": CommandType(gather.for_role, staff.withdraw_role),
        "revoke_role": CommandType(gather.for_role, staff.revoke_role),
        "issue_api_token": CommandType(gather.for_api_token, api_tokens.issue_api_token),
        "revoke_api_token": CommandType(gather.for_api_token, api_tokens.revoke_api_token),
    },
    acts={
        acts.OPENED: ActType(apply.opened),
        acts.ADDRESS_ADDED: ActType(apply.address_added),
        acts.ADDRESS_REMOVED: ActType(apply.address_removed),
        acts.PASSKEY_ADDED: ActType(apply.passkey_added),
        acts.PASSKEY_REMOVED: ActType(apply.passkey_removed),
        acts.IDENTITY_LINKED: ActType(apply.identity_linked),
        acts.IDENTITY_UNLINKED: ActType(apply.identity_unlinked),
        acts.PREFERENCES_SET: ActType(apply.preferences_set),
        acts.IDENTIFIED: ActType(apply.identified),
        acts.RELATED: ActType(apply.related),
        acts.ATTORNEY_OFFERED: ActType(apply.attorney_offered),
        acts.ATTORNEY_WITHDRAWN: ActType(apply.attorney_withdrawn),
        acts.ATTORNEY_ACCEPTED: ActType(apply.attorney_accepted),
        acts.RELATION_ENDED: ActType(apply.relation_ended),
        acts.ROLE_PROPOSED: ActType(apply.role_proposed),
        acts.ROLE_PROPOSAL_WITHDRAWN: ActType(apply.role_proposal_withdrawn),
        acts.ROLE_GRANTED: ActType(apply.role_granted),
        acts.ROLE_REVOKED: ActType(apply.role_revoked),
        acts.API_TOKEN_ISSUED: ActType(apply.api_token_issued),
        acts.API_TOKEN_REVOKED: ActType(apply.api_token_revoked),
    },
)
