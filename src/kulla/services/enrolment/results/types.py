"""Commands and acts of the room `results` by name, for `service.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.kernel.service import ActType, CommandType
from kulla.services.enrolment import acts
from kulla.services.enrolment.results import apply, family_policy, gather, list_policy, policy

COMMANDS: Final[Mapping[str, CommandType]] = {
    "ask_allocation": CommandType(gather.for_round, policy.ask_allocation),
    "post_results": CommandType(gather.for_posting, policy.post_results),
    "finish_allocation": CommandType(gather.for_round, policy.finish_allocation),
    "keep_transcript": CommandType(gather.for_keeping, policy.keep_transcript),
    "open_offers": CommandType(gather.for_round, policy.open_offers),
    "open_audit": CommandType(gather.for_round, policy.open_audit),
    "prepare_complementary": CommandType(gather.for_free_seats, policy.prepare_complementary),
    "answer_offer": CommandType(gather.for_child, family_policy.answer_offer),
    "leave_lists": CommandType(gather.for_child, family_policy.leave_lists),
    "appeal": CommandType(gather.for_child, family_policy.appeal),
    "decide_appeal": CommandType(gather.for_child, family_policy.decide_appeal),
    "settle_list": CommandType(gather.for_list, list_policy.settle_list),
    "lapse_offers": CommandType(gather.for_lapsing, list_policy.lapse_offers),
    "place_late": CommandType(gather.for_late, list_policy.place_late),
}

ACTS: Final[Mapping[str, ActType]] = {
    acts.ALLOCATION_ASKED: ActType(apply.allocation_asked),
    acts.RESULTS_POSTED: ActType(apply.results_posted),
    acts.ALLOCATED: ActType(apply.allocated),
    # Its subject is no person: the key is the transcripts' own.
    acts.TRANSCRIPT_KEPT: ActType(apply.transcript_kept, noted=False),
    acts.OFFERS_OPENED: ActType(apply.offers_opened),
    acts.AUDIT_OPENED: ActType(apply.audit_opened),
    acts.OFFER_ANSWERED: ActType(apply.offer_answered),
    acts.OFFER_LAPSED: ActType(apply.offer_lapsed),
    acts.PLACE_OFFERED: ActType(apply.place_offered),
    acts.LIST_LEFT: ActType(apply.list_left),
    acts.LATE_PLACED: ActType(apply.late_placed),
    acts.APPEALED: ActType(apply.appealed),
    acts.APPEAL_DECIDED: ActType(apply.appeal_decided),
}
