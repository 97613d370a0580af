"""The acts of enrolment: names, versions and shapes of their data (all version 1).

`round`, `school`, `programme`, `pool`, `grade` are ids that the ministry chose (small letters,
digits, hyphens; a programme's is unique in its round); `child` and other subjects are 32 hex
digits; instants are UTC epoch seconds (`_s`); `zone` is the IANA name of the round's zone. What is
`sealed` is sealed under the child's key. `application` is '<round>-<child>': one child has one.

The ministry prepares a round (room `rounds`):

round_prepared       round, title, school_year, zone, opens_s, closes_s, results_s, answer_by_s,
                     parent ('' or the main round that this complementary one follows)
rules_set            round, version (from 1), rules text: canonical JSON of policy.rules.Rules
school_entered       school, name, town, county, address
programme_set        round, programme, school, grade, name, pools [[pool, seats]...] in the order in
                     which they are tried; 'open' is the pool for everybody
programme_removed    round, programme
round_published      round, rules_version; rules and seats stand from here on
round_moved          round, opens_s, closes_s, results_s, answer_by_s, why text: later only
round_closed         round, count, root (32): Merkle root (RFC 9162) over the commitments of all
                     filed applications in the order of their bytes
round_ended          round

Families apply, by themselves or at a counter (room `applications`):

child_entered        child, facts (sealed JSON: born, day; address; area, the catchment id),
                     source 'register' | 'counter', document: which one the counter saw, or ''
applied              application, round, child, grade, choices [programme...] best first,
                     together bool (with the siblings who are named in the facts),
                     facts (sealed JSON of policy.rules.Facts: claims, siblings, area),
                     salt_sealed, commitment (32): SHA-256(salt || canonical CBOR of grade,
                     choices, together, facts), by 'guardian' | 'counter', change number from 1
                     (a withdrawal counts too), undecided [claim number...]: decisions on them
                     fall, since the claim is another now
withdrawn            application, round, child, by, change
document_added       application, child, document (32 hex), kind, name (sealed), media_type, size
                     bytes, blob (32): the sealed file's name; the entry names it too
document_removed     application, child, document
claim_decided        application, child, claim (number), verdict 'confirmed' | 'refused', reason
                     (sealed)

The lottery (room `lottery`):

secret_committed     round, embassy (its statement key's text), commitment (32), escrow bytes: the
                     deal (kernel.escrow), which custodians together open, statement bytes: the
                     note that the embassy signed (journal.lottery)
seed_drawn           round, closed: the position of round_closed, size, root (32): the cosigned
                     checkpoint that covers it; secrets [[embassy, secret (32), 'embassy' |
                     'custodians', evidence bytes]...]: the embassy's signed reveal, or canonical
                     [[share, opened (32), proof (64)]...]; beacon b'', seed (32)

Results (room `results`):

allocation_asked     round: the ministry wants it allocated; the post's job does it
results_posted       round, part, parts, rows [[child, programme or '', pool or '', choice]...]
                     (choice from 1 in the order in which they were tried, in which the siblings'
                     rule may move one up; 0: none; a pool for a private priority is 'open'),
                     places [[programme, child, order, choice]...]
allocated            round, public (32), audit (32): SHA-256 of the two transcripts, placed, count,
                     kept [[programme, seats]...]: reserved seats that stay free for their pool
transcript_kept      round, kind 'public' | 'audit', part, parts, subject (a key of its own, for all
                     of the round), key (32) where this act brings it, else b'', blob (32): this
                     part's sealed file; the entry names both
offers_opened        round: families see their results
offer_answered       round, child, answer 'accepted' | 'waiting' | 'declined', programme,
                     left [programme...]: the waiting lists that the answer leaves
offer_lapsed         round, rows [[child, programme]...], left [[programme, child]...]
place_offered        round, child, programme, pool, choice, from_programme or '', answer_by_s,
                     left [programme...], state 'open' | 'waiting' | 'accepted' (who kept a seat
                     while waiting has said yes before): a waiting list moved
list_left            round, child, programmes [...]
late_placed          round, child, programme, order, choice: a late arrival at the end of the lists
appealed             round, child, appeal (32 hex), text (sealed)
appeal_decided       round, child, appeal, verdict 'granted' | 'rejected', reason (sealed),
                     programme or '': a seat beyond capacity where the decision gives one, then with
                     choice, from_programme, answer_by_s, left as in place_offered
audit_opened         round, reason text: a clerk takes the auditor's transcript

Shapes live for decades: a change makes a new version and an upcaster in `service.py`.
"""

from __future__ import annotations

from typing import Final

SERVICE_NAME: Final = "enrolment"

ROUND_PREPARED: Final = "round_prepared"
RULES_SET: Final = "rules_set"
SCHOOL_ENTERED: Final = "school_entered"
PROGRAMME_SET: Final = "programme_set"
PROGRAMME_REMOVED: Final = "programme_removed"
ROUND_PUBLISHED: Final = "round_published"
ROUND_MOVED: Final = "round_moved"
ROUND_CLOSED: Final = "round_closed"
ROUND_ENDED: Final = "round_ended"

CHILD_ENTERED: Final = "child_entered"
APPLIED: Final = "applied"
WITHDRAWN: Final = "withdrawn"
DOCUMENT_ADDED: Final = "document_added"
DOCUMENT_REMOVED: Final = "document_removed"
CLAIM_DECIDED: Final = "claim_decided"

SECRET_COMMITTED: Final = "secret_committed"  # noqa: S105 - the name of an act
SEED_DRAWN: Final = "seed_drawn"

ALLOCATION_ASKED: Final = "allocation_asked"
RESULTS_POSTED: Final = "results_posted"
ALLOCATED: Final = "allocated"
TRANSCRIPT_KEPT: Final = "transcript_kept"
OFFERS_OPENED: Final = "offers_opened"
OFFER_ANSWERED: Final = "offer_answered"
OFFER_LAPSED: Final = "offer_lapsed"
PLACE_OFFERED: Final = "place_offered"
LIST_LEFT: Final = "list_left"
LATE_PLACED: Final = "late_placed"
APPEALED: Final = "appealed"
APPEAL_DECIDED: Final = "appeal_decided"
AUDIT_OPENED: Final = "audit_opened"
