"""A round of school enrolment in the made-up country of a golden journal: every act of it, once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

from kulla.drill.simulation import country as simulated
from kulla.drill.undo.country import CountryHere
from kulla.drill.undo.story import StoryClock
from kulla.journal.lottery import Closing, Commitment, Reveal, custodian_keys, signed
from kulla.journal.notes import SigningKey
from kulla.kernel.canonical import Value, encode
from kulla.kernel.escrow import Deal, joined, make_deal, open_share, prove_secret
from kulla.kernel.lottery import opening_context, secret_context
from kulla.kernel.service import ALLOCATOR, Actor
from kulla.services.enrolment.policy.draw import seed_of
from kulla.services.enrolment.policy.rules import Pool, Priority, Rules
from kulla.services.enrolment.rounds.rules_text import text_of

ROUND, SECOND = "klasa-1-2026", "plotesues-2026"
HOUR_S = 3600
ZONE = "Europe/Tirane"
RULES = Rules(
    priorities=(
        Priority("looked-after", "Looked-after child", "anywhere", private=True, document=True),
        Priority("sibling", "A sibling at the school", "school"),
    ),
    pools=(Pool("open", "Open seats"), Pool("care", "Care", "looked-after", unfilled="stay")),
    tie_break="multiple",
    choices_max=5,
    ages=(("1", "2019-09-01", "2020-12-31"),),
    titles=(("1", "Klasa e parë"),),
)


class Telling(Protocol):
    """What the golden story lends: its country, its people, and ways to ask as somebody."""

    country: CountryHere
    clock: StoryClock
    ana: str
    child: str

    def do(self, command: Any) -> Any:
        """Ask; it must be accepted."""
        ...

    def _command(self, actor: Actor, service: str, name: str, data: Any, **more: Any) -> Any: ...
    def _signed(self, who: str, service: str, name: str, /, **data: Value) -> Any: ...
    def _by(self, actor: Actor, service: str, name: str, /, **data: Value) -> Any: ...


class SchoolStory:
    """Tells a round and the preparation of the one after it; `made_up` gives bytes for a word."""

    def __init__(self, story: Telling, made_up: Callable[[str, int], bytes]) -> None:
        self._story = story
        self._made_up = made_up
        now_s = story.clock.at_ms // 1000
        spans = {"opens_s": 1, "closes_s": 2, "results_s": 3, "answer_by_s": 5}
        self._days = {name: now_s + hours * HOUR_S for name, hours in spans.items()}
        self._told: dict[str, tuple[int, Deal, bytes]] = {}
        self._second, self._third, self._gone, self._late = (
            made_up(f"subject pupil {number}", 16).hex() for number in range(4)
        )

    def tell(self) -> None:
        """All of it."""
        self._prepare()
        self._commit()
        self._at(self._days["opens_s"] + 60)
        self._apply()
        self._decide()
        self._move()
        self._at(self._days["closes_s"] + 60)
        self._draw()
        self._allocate()
        self._answer()
        self._appeal()
        self._end()

    # who asks

    def _clerk(self, name: str, /, **data: Value) -> None:
        self._story._signed("elira", "enrolment", name, **data)

    def _job(self, name: str, /, **data: Value) -> None:
        self._story._by(ALLOCATOR, "enrolment", name, **data)

    def _ana(self, name: str, names: tuple[bytes, ...] = (), /, **data: Value) -> None:
        actor = Actor("citizen", self._story.ana, self._story.child)
        self._story.do(self._story._command(actor, "enrolment", name, data, names=names))

    def _at(self, at_s: int) -> None:
        self._story.clock.at_ms = at_s * 1000

    # what happens

    def _prepare(self) -> None:
        about: dict[str, Value] = {"school_year": "2026-2027", "zone": ZONE, "parent": ""}
        title = "Regjistrimi në klasën e parë"
        self._clerk("prepare_round", round=ROUND, title=title, **about, **self._days)
        self._clerk("set_rules", round=ROUND, rules=text_of(RULES))
        place: dict[str, Value] = {"town": "Tiranë", "county": "Tiranë", "address": "Rruga 1"}
        for school in ("naim", "sami"):
            self._clerk("enter_school", school=school, name=f"Shkolla {school}", **place)
        for programme, school, seats in (("n-1", "naim", 1), ("s-1", "sami", 3), ("x", "sami", 9)):
            pools: list[Value] = [["open", seats], ["care", 1]]
            told: dict[str, Value] = {"programme": programme, "school": school, "name": "Klasa 1"}
            self._clerk("set_programme", round=ROUND, grade="1", pools=pools, **told)
        self._clerk("remove_programme", round=ROUND, programme="x")
        self._clerk("publish_round", round=ROUND)

    def _commit(self) -> None:
        """Two embassies hold a secret: one will tell it, the other's custodians open."""
        keys = custodian_keys(self._story.country.policy)
        for name in simulated.EMBASSIES[:2]:
            key = simulated.identity_of(name).statement_key
            text = key.verifier.text()
            context = secret_context(simulated.TOWER, ROUND, text)
            number, deal = make_deal(context, keys, 2, self._story.country.entropy)
            self._told[name] = (number, deal, context)
            size = self._story.country.writer.end
            statement = Commitment(
                tower=simulated.TOWER,
                round=ROUND,
                embassy=text,
                policy=self._story.country.policy.version,
                closes_s=self._days["closes_s"],
                at_s=self._days["opens_s"] - HOUR_S,
                origin=simulated.origin_of(1),
                size=size,
                deal=hashlib.sha256(deal.render()).digest(),
            )
            sealed: dict[str, Value] = {
                "escrow": deal.render(),
                "statement": signed(statement, key),
            }
            self._job("commit_secret", round=ROUND, embassy=text, **sealed)

    def _apply(self) -> None:
        facts = self._made_up("facts of a child", 60)
        self._ana("enter_child", facts=facts, source="register")
        seen: dict[str, Value] = {"source": "counter", "document": "birth-certificate"}
        self._clerk("enter_child", child=self._second, facts=facts, **seen)
        for child in (self._third, self._gone, self._late):
            self._clerk("enter_child", child=child, facts=facts, source="register")
        first = self._wish("child", 1, ["n-1", "s-1"], together=True)
        self._ana("apply", **first)
        self._ana("apply", **self._wish("child", 2, ["n-1", "s-1"], undecided=[0, 1]))
        for child in (self._second, self._third, self._gone):
            self._clerk("apply", child=child, **self._wish(child, 1, ["n-1", "s-1"]))
        self._clerk("withdraw", child=self._gone, round=ROUND)

    def _wish(self, child: str, change: int, choices: list[Value], **more: Value) -> dict[str, Any]:
        return {
            "round": ROUND,
            "grade": "1",
            "choices": choices,
            "together": False,
            "facts": self._made_up(f"facts {child} {change}", 90),
            "salt": self._made_up(f"salt {child} {change}", 60),
            "commitment": self._made_up(f"commitment {child} {change}", 32),
            "change": change,
            "undecided": [],
            **more,
        }

    def _decide(self) -> None:
        for number in range(2):
            blob = self._story.country.keep_blob(self._made_up(f"file {number}", 200))
            file: dict[str, Value] = {"kind": "claim", "media_type": "image/jpeg", "size": 180}
            name = self._made_up(f"name of file {number}", 50)
            self._ana("add_document", (blob,), round=ROUND, name=name, blob=blob, **file)
        first = sorted(
            str(row["id"]) for row in self._story.country.rows.find("enrolment_document")
        )[0]
        self._ana("remove_document", round=ROUND, document=first)
        reason = self._made_up("reason of a decision", 40)
        whose: dict[str, Value] = {"round": ROUND, "child": self._story.child, "change": 2}
        for claim, verdict in enumerate(("confirmed", "refused")):
            self._clerk("decide_claim", claim=claim, verdict=verdict, reason=reason, **whose)

    def _move(self) -> None:
        later = {name: at_s + 600 for name, at_s in self._days.items() if name != "opens_s"}
        self._days |= later
        self._clerk("move_round", round=ROUND, why="The line to Kukës was down.", **self._days)

    def _draw(self) -> None:
        self._clerk("close_round", round=ROUND)
        row = self._story.country.rows.get("enrolment_round", ROUND)
        assert row is not None
        root, count, closed = row["list_root"], row["list_count"], row["closed_position"]
        size = self._story.country.writer.end
        checkpoint = self._made_up("root of the checkpoint", 32)
        closing = Closing(ROUND, count, root, simulated.origin_of(1), closed, size, checkpoint)  # type: ignore[arg-type]
        teller, silent = simulated.EMBASSIES[:2]
        secrets: list[Value] = [self._tells(teller, closing), self._opened(silent, closing)]
        pairs = [(str(each[0]), bytes(each[1])) for each in secrets]  # type: ignore[index,arg-type]
        seed = seed_of(ROUND, closing.count, closing.root, pairs)
        said: dict[str, Value] = {"closed": closed, "size": size, "root": checkpoint}
        self._job("draw_seed", round=ROUND, secrets=secrets, beacon=b"", seed=seed, **said)

    def _tells(self, embassy: str, closing: Closing) -> list[Value]:
        """An embassy's secret as it tells it itself."""
        number, _deal, context = self._told[embassy]
        key: SigningKey = simulated.identity_of(embassy).statement_key
        secret, proof = prove_secret(number, context)
        at_s = self._story.clock.at_ms // 1000
        reveal = Reveal(simulated.TOWER, key.verifier.text(), closing, at_s, secret, proof)
        return [key.verifier.text(), secret, "embassy", signed(reveal, key)]

    def _opened(self, embassy: str, closing: Closing) -> list[Value]:
        """The secret of an embassy that keeps silent, as two custodians open it."""
        _number, deal, _context = self._told[embassy]
        text = simulated.identity_of(embassy).statement_key.verifier.text()
        context = opening_context(simulated.TOWER, ROUND, text, closing.root)
        shares = [open_share(deal, key.number, context) for key in simulated.custodian_keys()]
        secret = joined(deal, {share: opened for share, opened, _ in shares})
        evidence: list[Value] = [list(each) for each in shares]
        return [text, secret, "custodians", encode(evidence)]

    def _allocate(self) -> None:
        self._clerk("ask_allocation", round=ROUND)
        first: list[Value] = [
            [self._story.child, "s-1", "open", 2],
            [self._second, "n-1", "open", 1],
        ]
        waits: list[Value] = [["n-1", self._story.child, 1, 1]]
        parts: dict[str, Value] = {"round": ROUND, "parts": 2}
        self._job("post_results", part=1, rows=first, places=waits, **parts)
        last: list[Value] = [[self._third, "", "", 0]]
        more: list[Value] = [["n-1", self._third, 2, 1], ["s-1", self._third, 1, 2]]
        self._job("post_results", part=2, rows=last, places=more, **parts)
        told: dict[str, Value] = {"public": self._made_up("public", 32), "count": 3, "placed": 2}
        kept: list[Value] = [["n-1", 1]]
        audit = self._made_up("audit", 32)
        self._job("finish_allocation", round=ROUND, parts=2, audit=audit, kept=kept, **told)
        self._keep_transcripts()
        self._at(self._days["results_s"])
        self._clerk("open_offers", round=ROUND)
        self._clerk("open_audit", round=ROUND, reason="A court asked for it.")

    def _keep_transcripts(self) -> None:
        """Each as a sealed file; the first brings the key that both are sealed under."""
        keep = self._story.country.keep_blob
        key = keep(self._made_up("wrapped key of transcripts", 60))
        subject = self._made_up("subject of transcripts", 16).hex()
        for kind, brought in (("public", key), ("audit", b"")):
            blob = keep(self._made_up(f"transcript {kind}", 300))
            data: dict[str, Value] = {"round": ROUND, "kind": kind, "part": 1, "parts": 1}
            data |= {"subject": subject, "key": brought, "blob": blob}
            names = (brought, blob) if brought else (blob,)
            command = self._story._command(
                ALLOCATOR, "enrolment", "keep_transcript", data, names=names
            )
            self._story.do(command)

    def _answer(self) -> None:
        second = self._second
        self._ana("answer_offer", round=ROUND, answer="waiting")
        self._clerk("answer_offer", round=ROUND, child=second, answer="declined")
        for programme in ("n-1", "s-1"):
            self._job("settle_list", round=ROUND, programme=programme)
        third = self._third
        self._clerk("answer_offer", round=ROUND, child=third, answer="accepted")
        late: list[Value] = ["n-1", "s-1"]
        self._clerk("place_late", round=ROUND, child=self._late, programmes=late)
        self._job("settle_list", round=ROUND, programme="s-1")
        self._clerk("leave_lists", round=ROUND, child=self._late, programmes=["n-1"])

    def _appeal(self) -> None:
        text, reason = self._made_up("an appeal", 80), self._made_up("its reason", 80)
        self._ana("appeal", round=ROUND, text=text)
        self._clerk("appeal", round=ROUND, child=self._second, text=text)
        rows = self._story.country.rows.find("enrolment_appeal")
        appeals = {str(row["child"]): str(row["id"]) for row in rows}
        for child, verdict, seat in (
            (self._story.child, "rejected", ""),
            (self._second, "granted", "n-1"),
        ):
            given: dict[str, Value] = {"verdict": verdict, "reason": reason, "programme": seat}
            about: dict[str, Value] = {"round": ROUND, "child": child, "appeal": appeals[child]}
            self._clerk("decide_appeal", **about, **given)

    def _end(self) -> None:
        rows = self._story.country.rows.find("enrolment_result", state="open")
        until_s = max(int(str(row["answer_by_s"])) for row in rows)
        self._at(until_s + 60)
        children: list[Value] = [*sorted(str(row["child"]) for row in rows)]
        self._job("lapse_offers", round=ROUND, children=children)
        self._clerk("end_round", round=ROUND)
        begin_s = until_s + HOUR_S
        spans = {"opens_s": 1, "closes_s": 2, "results_s": 3, "answer_by_s": 5}
        days: dict[str, Value] = {name: begin_s + day * HOUR_S for name, day in spans.items()}
        title = "Raundi plotësues"
        self._clerk("prepare_complementary", round=SECOND, parent=ROUND, title=title, **days)
