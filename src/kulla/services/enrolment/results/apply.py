"""How acts of results change the registers. The same acts always give the same rows.

Rows are reached by key alone and every check comes before the first write, so that an act that
does not fit (UnfitAct) leaves the registers as they were.
"""

from __future__ import annotations

from typing import Any

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Act
from kulla.services.enrolment import tables
from kulla.services.enrolment.results.filling import Filling

_HOLDING = (tables.OPEN, tables.ACCEPTED, tables.WAITING)


def unfit(act: Act, why: str) -> UnfitAct:
    """The error of an act that does not fit the register, saying why."""
    return UnfitAct(
        f"{act.service}.{act.name} does not fit the register: {why}.",
        place=f"act {act.position}",
        remedy="Compare the acts before it with the register, or rebuild.",
    )


def needed(rows: RowsByKey, table: str, key: str, act: Act) -> Row:
    """The row that an act builds on. Raises UnfitAct where there is none."""
    row = rows.get(table, key)
    if row is None:
        raise unfit(act, f"{table} has no row {key}")
    return row


def round_in(rows: RowsByKey, act: Act, *states: str) -> Row:
    """The act's round. Raises UnfitAct where it is in no such state."""
    row = needed(rows, tables.ROUND, act.data["round"], act)
    if row["state"] not in states:
        raise unfit(act, f"the round {act.data['round']} is {row['state']!s}")
    return row


def allocation_asked(rows: RowsByKey, act: Act) -> None:
    """Note who wants the round allocated. Raises UnfitAct where it is not drawn."""
    row = round_in(rows, act, tables.DRAWN)
    run = _run(rows, str(row["id"]))
    subject = act.actor.subject
    rows.put(tables.RUN, run | {"asked_ms": act.at_ms, "clerk": subject, "position": act.position})


def results_posted(rows: RowsByKey, act: Act) -> None:
    """Add one part's results and places.

    Raises UnfitAct where it is not the next part, or a child has a result already.
    """
    data = act.data
    row = round_in(rows, act, tables.DRAWN)
    if row["parts_posted"] != data["part"] - 1:
        raise unfit(act, f"part {data['part']} does not follow {row['parts_posted']!s}")
    key, filling = data["round"], Filling(rows, act)
    results = []
    for child, programme, pool, choice in data["rows"]:
        if rows.get(tables.RESULT, f"{key}-{child}") is not None:
            raise unfit(act, f"the child {child} has a result already")
        results.append(_result(row, child, programme, pool, choice, act))
        filling.take(programme, pool)
    places = [
        _place(key, programme, child, order, choice, act)
        for programme, child, order, choice in data["places"]
    ]
    for place in places:
        filling.enter(str(place["programme"]), place["order"])
    for result in results:
        rows.put(tables.RESULT, result)
    for place in places:
        rows.put(tables.PLACE, place)
    filling.write()
    rows.put(tables.ROUND, row | {"parts_posted": data["part"], "position": act.position})
    rows.put(tables.RUN, _run(rows, key) | {"parts": data["parts"], "position": act.position})


def allocated(rows: RowsByKey, act: Act) -> None:
    """The round is allocated. Raises UnfitAct where it was not drawn."""
    data = act.data
    row = round_in(rows, act, tables.DRAWN)
    filling = Filling(rows, act)
    for programme, seats in data["kept"]:
        filling.keep(programme, seats)
    filling.write()
    state = {
        "state": tables.ALLOCATED,
        "public_transcript": data["public"],
        "audit_transcript": data["audit"],
    }
    rows.put(tables.ROUND, row | state | {"position": act.position})
    run = _run(rows, data["round"])
    told = {"count": data["count"], "placed": data["placed"], "allocated_ms": act.at_ms}
    rows.put(tables.RUN, run | told | {"position": act.position})


def transcript_kept(rows: RowsByKey, act: Act) -> None:
    """Note which file has the part. Raises UnfitAct where one has it already."""
    data = act.data
    key = f"{data['round']}-{data['kind']}-{data['part']}"
    if rows.get(tables.TRANSCRIPT, key) is not None:
        raise unfit(act, f"the part {key} is kept already")
    said: Row = {name: data[name] for name in ("round", "kind", "part", "parts", "subject", "blob")}
    rows.put(tables.TRANSCRIPT, {"id": key, **said, "position": act.position})


def offers_opened(rows: RowsByKey, act: Act) -> None:
    """Families see their results. Raises UnfitAct where the round is not allocated."""
    row = round_in(rows, act, tables.ALLOCATED)
    rows.put(tables.ROUND, row | {"state": tables.OFFERED, "position": act.position})
    opened = {"opened_position": act.position, "position": act.position}
    rows.put(tables.RUN, _run(rows, act.data["round"]) | opened)


def audit_opened(rows: RowsByKey, act: Act) -> None:
    """A clerk took the auditor's transcript: the journal keeps it, no register needs it."""
    needed(rows, tables.ROUND, act.data["round"], act)


def offer_answered(rows: RowsByKey, act: Act) -> None:
    """Note the answer, leave lists, free the seat where it was declined."""
    data = act.data
    result = _holder(rows, act, data["child"], data["programme"])
    places = _waiting(rows, act, data["child"], data["left"])
    filling = Filling(rows, act)
    if data["answer"] == tables.DECLINED:
        filling.free(data["programme"], str(result["pool"]))
    _leave(rows, act, places, filling)
    filling.write()
    _change(rows, act, result, state=data["answer"])


def offer_lapsed(rows: RowsByKey, act: Act) -> None:
    """Free the seats of offers that nobody answered, and take the children out of all lists."""
    data = act.data
    results = [_holder(rows, act, child, programme) for child, programme in data["rows"]]
    places = [
        place
        for programme, child in data["left"]
        for place in _waiting(rows, act, child, [programme])
    ]
    filling = Filling(rows, act)
    for result in results:
        filling.free(str(result["programme"]), str(result["pool"]))
    _leave(rows, act, places, filling)
    filling.write()
    for result in results:
        _change(rows, act, result, state=tables.LAPSED)


def place_offered(rows: RowsByKey, act: Act) -> None:
    """A waiting list moved: give the child the seat, free the one that they leave for it."""
    data = act.data
    places = _waiting(rows, act, data["child"], [data["programme"]])
    result = _moved(rows, act, data["from_programme"])
    others = [name for name in data["left"] if name != data["programme"]]
    _give(rows, act, result, [*places, *_waiting(rows, act, data["child"], others)], data["state"])


def list_left(rows: RowsByKey, act: Act) -> None:
    """The child waits in these lists no more."""
    places = _waiting(rows, act, act.data["child"], act.data["programmes"])
    filling = Filling(rows, act)
    _leave(rows, act, places, filling)
    filling.write()


def late_placed(rows: RowsByKey, act: Act) -> None:
    """Add a late child at the end of a list; without a result so far, they get an empty one."""
    data = act.data
    row = needed(rows, tables.ROUND, data["round"], act)
    key = f"{data['round']}-{data['programme']}-{data['child']}"
    if rows.get(tables.PLACE, key) is not None:
        raise unfit(act, f"the place {key} exists already")
    filling = Filling(rows, act)
    filling.enter(data["programme"], data["order"])
    place = _place(
        data["round"], data["programme"], data["child"], data["order"], data["choice"], act
    )
    if rows.get(tables.RESULT, f"{data['round']}-{data['child']}") is None:
        rows.put(tables.RESULT, _result(row, data["child"], "", "", 0, act))
    rows.put(tables.PLACE, place)
    filling.write()


def appealed(rows: RowsByKey, act: Act) -> None:
    """Add the appeal. Raises UnfitAct where its id is in use or there is no result."""
    data = act.data
    needed(rows, tables.RESULT, f"{data['round']}-{data['child']}", act)
    if rows.get(tables.APPEAL, data["appeal"]) is not None:
        raise unfit(act, f"the appeal {data['appeal']} exists already")
    rows.put(
        tables.APPEAL,
        {
            "id": data["appeal"],
            "round": data["round"],
            "child": data["child"],
            "text_sealed": data["text"],
            "state": tables.APPEALED,
            "reason_sealed": None,
            "programme": "",
            "clerk": "",
            "appealed_ms": act.at_ms,
            "decided_ms": 0,
            "position": act.position,
        },
    )


def appeal_decided(rows: RowsByKey, act: Act) -> None:
    """Note the decision; where it gives a seat, that one is beyond capacity."""
    data = act.data
    row = needed(rows, tables.APPEAL, data["appeal"], act)
    if row["state"] != tables.APPEALED or row["child"] != data["child"]:
        raise unfit(act, f"the appeal {data['appeal']} is not one to decide")
    if data["programme"]:
        result = _moved(rows, act, data["from_programme"])
        places = _waiting(rows, act, data["child"], data["left"])
        _give(rows, act, result, places, tables.OPEN)
    decided = {
        "state": data["verdict"],
        "reason_sealed": data["reason"],
        "programme": data["programme"],
        "clerk": act.actor.subject,
        "decided_ms": act.at_ms,
        "position": act.position,
    }
    rows.put(tables.APPEAL, row | decided)


def _give(rows: RowsByKey, act: Act, result: Row, places: list[Row], state: str) -> None:
    """Move the child to the act's programme, out of these places, into this state."""
    data = act.data
    pool = str(data.get("pool", tables.APPEAL_POOL))
    filling = Filling(rows, act)
    if data["from_programme"]:
        filling.free(data["from_programme"], str(result["pool"]))
    filling.take(data["programme"], pool)
    _leave(rows, act, places, filling)
    filling.write()
    _change(
        rows,
        act,
        result,
        programme=data["programme"],
        pool=pool,
        choice=data["choice"],
        state=state,
        answer_by_s=data["answer_by_s"],
    )


def _moved(rows: RowsByKey, act: Act, held: str) -> Row:
    """The result of the act's child, who holds a seat in `held` ('': none)."""
    child = act.data["child"]
    if held:
        return _holder(rows, act, child, held)
    result = needed(rows, tables.RESULT, f"{act.data['round']}-{child}", act)
    if result["state"] in _HOLDING:
        raise unfit(act, f"the child {child} holds a seat in {result['programme']!s}")
    return result


def _holder(rows: RowsByKey, act: Act, child: str, programme: str) -> Row:
    """The result of a child who holds a seat in this programme. Raises UnfitAct otherwise."""
    result = needed(rows, tables.RESULT, f"{act.data['round']}-{child}", act)
    if result["programme"] != programme or result["state"] not in _HOLDING:
        raise unfit(act, f"the child {child} holds no seat in {programme}")
    return result


def _waiting(rows: RowsByKey, act: Act, child: str, programmes: Any) -> list[Row]:
    """The child's places in these lists. Raises UnfitAct where they don't wait there."""
    found = []
    for programme in programmes:
        place = needed(rows, tables.PLACE, f"{act.data['round']}-{programme}-{child}", act)
        if place["state"] != tables.IN_LIST:
            raise unfit(act, f"the child {child} does not wait for {programme}")
        found.append(place)
    return found


def _leave(rows: RowsByKey, act: Act, places: list[Row], filling: Filling) -> None:
    for place in places:
        filling.leave(str(place["programme"]))
        rows.put(tables.PLACE, place | {"state": tables.LEFT_LIST, "position": act.position})


def _change(rows: RowsByKey, act: Act, result: Row, **cells: str | int) -> None:
    rows.put(tables.RESULT, result | cells | {"changed_ms": act.at_ms, "position": act.position})


def _result(round_row: Row, child: str, programme: str, pool: str, choice: int, act: Act) -> Row:
    return {
        "id": f"{round_row['id']!s}-{child}",
        "round": round_row["id"],
        "child": child,
        "programme": programme,
        "pool": pool,
        "choice": choice,
        "state": tables.OPEN if programme else tables.NOT_OFFERED,
        "answer_by_s": round_row["answer_by_s"],
        "changed_ms": act.at_ms,
        "position": act.position,
    }


def _place(key: str, programme: str, child: str, order: int, choice: int, act: Act) -> Row:
    return {
        "id": f"{key}-{programme}-{child}",
        "round": key,
        "programme": programme,
        "child": child,
        "order": order,
        "choice": choice,
        "state": tables.IN_LIST,
        "position": act.position,
    }


def _run(rows: RowsByKey, key: str) -> Row:
    return rows.get(tables.RUN, key) or {
        "id": key,
        "asked_ms": 0,
        "clerk": "",
        "parts": 0,
        "count": 0,
        "placed": 0,
        "allocated_ms": 0,
        "opened_position": -1,
        "position": 0,
    }
