"""Commands and acts of the room `rounds` by name, for `service.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.kernel.service import ActType, CommandType
from kulla.services.enrolment import acts
from kulla.services.enrolment.rounds import apply, gather, policy

COMMANDS: Final[Mapping[str, CommandType]] = {
    "prepare_round": CommandType(gather.for_round, policy.prepare_round),
    "change_round": CommandType(gather.for_round, policy.change_round),
    "set_rules": CommandType(gather.for_round, policy.set_rules),
    "enter_school": CommandType(gather.for_school, policy.enter_school),
    "enter_schools": CommandType(gather.for_school, policy.enter_schools),
    "set_programme": CommandType(gather.for_programme, policy.set_programme),
    "set_programmes": CommandType(gather.for_programmes, policy.set_programmes),
    "remove_programme": CommandType(gather.for_programme, policy.remove_programme),
    "publish_round": CommandType(gather.for_publishing, policy.publish_round),
    "move_round": CommandType(gather.for_round, policy.move_round),
    "close_round": CommandType(gather.for_closing, policy.close_round),
    "end_round": CommandType(gather.for_round, policy.end_round),
}

ACTS: Final[Mapping[str, ActType]] = {
    acts.ROUND_PREPARED: ActType(apply.round_prepared),
    acts.RULES_SET: ActType(apply.rules_set),
    acts.SCHOOL_ENTERED: ActType(apply.school_entered),
    acts.PROGRAMME_SET: ActType(apply.programme_set),
    acts.PROGRAMME_REMOVED: ActType(apply.programme_removed),
    acts.ROUND_PUBLISHED: ActType(apply.round_published),
    acts.ROUND_MOVED: ActType(apply.round_moved),
    # Embassies, custodians and whoever checks a lottery need its receipt; no person is in it.
    acts.ROUND_CLOSED: ActType(apply.round_closed, public=True),
    acts.ROUND_ENDED: ActType(apply.round_ended),
}
