"""Commands and acts of the room `applications` by name, for `service.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.kernel.service import ActType, CommandType
from kulla.services.enrolment import acts
from kulla.services.enrolment.applications import apply, gather, policy

COMMANDS: Final[Mapping[str, CommandType]] = {
    "enter_child": CommandType(gather.for_child, policy.enter_child),
    "apply": CommandType(gather.for_application, policy.file),
    "withdraw": CommandType(gather.for_application, policy.withdraw),
    "add_document": CommandType(gather.for_document, policy.add_document),
    "remove_document": CommandType(gather.for_application, policy.remove_document),
    "decide_claim": CommandType(gather.for_application, policy.decide_claim),
}

ACTS: Final[Mapping[str, ActType]] = {
    acts.CHILD_ENTERED: ActType(apply.child_entered),
    acts.APPLIED: ActType(apply.applied),
    acts.WITHDRAWN: ActType(apply.withdrawn),
    acts.DOCUMENT_ADDED: ActType(apply.document_added),
    acts.DOCUMENT_REMOVED: ActType(apply.document_removed),
    acts.CLAIM_DECIDED: ActType(apply.claim_decided),
}
