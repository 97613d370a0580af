"""The registers of enrolment as pages read them. `apply` alone writes them; Django never does.

Ids are plain text without foreign keys, since registers are rebuilt in any order of tables.
`position` is that of the act that last changed the row: below the watermark it is confirmed.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from kulla.services.enrolment import tables
from kulla.services.enrolment.results.models import Filled, Run, Transcript

# Handed to Django from here: what a room keeps beside, in a file of its own.
__all__ = ("Filled", "Run", "Transcript")


class Round(models.Model):
    """A round of enrolment: its days, its rules' version, and how far it is.

    `parent` is '' for a main round, else the round whose free seats it gives away. `list_root` and
    `list_count` are set when it closes, with `closed_position`, that of the act that closed it (-1
    before); `seed` when the lottery is drawn, the two transcripts' SHA-256 when it is allocated;
    they are NULL before.
    """

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    title: models.TextField[str, str] = models.TextField()
    school_year: models.CharField[str, str] = models.CharField(max_length=16)
    zone: models.TextField[str, str] = models.TextField()
    opens_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    closes_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    results_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    answer_by_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    parent: models.CharField[str, str] = models.CharField(max_length=32)
    state: models.CharField[str, str] = models.CharField(max_length=10)
    rules_version: models.BigIntegerField[int, int] = models.BigIntegerField()
    list_root: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    list_count: models.BigIntegerField[int, int] = models.BigIntegerField()
    closed_position: models.BigIntegerField[int, int] = models.BigIntegerField()
    seed: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    public_transcript: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(
        null=True
    )
    audit_transcript: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    parts_posted: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.ROUND
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state"], name="enrol_round_state"),
        ]

    def __str__(self) -> str:
        return self.title


class RuleSet(models.Model):
    """One version of a round's rules. The id is '<round>-<version>'; `text` is canonical JSON."""

    id: models.CharField[str, str] = models.CharField(max_length=44, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    version: models.BigIntegerField[int, int] = models.BigIntegerField()
    text: models.TextField[str, str] = models.TextField()
    set_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.RULES
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round"], name="enrol_rules_round"),
        ]

    def __str__(self) -> str:
        return self.id


class Move(models.Model):
    """A published round's days moved to later: what they were, what they are, and why.

    The id is '<round>-<position>', the position in twelve digits.
    """

    id: models.CharField[str, str] = models.CharField(max_length=45, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    why: models.TextField[str, str] = models.TextField()
    was_opens_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    was_closes_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    was_results_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    was_answer_by_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    opens_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    closes_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    results_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    answer_by_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    moved_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.MOVE
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round"], name="enrol_move_round"),
        ]

    def __str__(self) -> str:
        return self.id


class School(models.Model):
    """A school, in whatever round."""

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    name: models.TextField[str, str] = models.TextField()
    town: models.TextField[str, str] = models.TextField()
    county: models.TextField[str, str] = models.TextField()
    address: models.TextField[str, str] = models.TextField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.SCHOOL
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["county", "town"], name="enrol_school_town"),
        ]

    def __str__(self) -> str:
        return self.name


class Programme(models.Model):
    """What a school offers to one grade in one round. The id is '<round>-<programme>'.

    `pools` is JSON [[pool, seats]...] in the order in which they are tried.
    """

    id: models.CharField[str, str] = models.CharField(max_length=65, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    programme: models.CharField[str, str] = models.CharField(max_length=32)
    school: models.CharField[str, str] = models.CharField(max_length=32)
    grade: models.CharField[str, str] = models.CharField(max_length=16)
    name: models.TextField[str, str] = models.TextField()
    pools: models.TextField[str, str] = models.TextField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.PROGRAMME
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round", "grade"], name="enrol_programme_grade"),
            models.Index(fields=["round", "school"], name="enrol_programme_school"),
        ]

    def __str__(self) -> str:
        return self.id


class Child(models.Model):
    """A child as the civil register or a counter entered it."""

    subject: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    facts_sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    source: models.CharField[str, str] = models.CharField(max_length=8)
    entered_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.CHILD
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.subject


class Application(models.Model):
    """A child's application in a round: the only one. The id is '<round>-<child>'.

    `choices` is JSON [programme...], best first. `changes` counts from 1; `by`: whose it was last.
    """

    id: models.CharField[str, str] = models.CharField(max_length=65, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    child: models.CharField[str, str] = models.CharField(max_length=32)
    state: models.CharField[str, str] = models.CharField(max_length=10)
    grade: models.CharField[str, str] = models.CharField(max_length=16)
    choices: models.TextField[str, str] = models.TextField()
    together: models.BigIntegerField[int, int] = models.BigIntegerField()
    facts_sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    salt_sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    commitment: models.BinaryField[bytes, bytes] = models.BinaryField()
    by: models.CharField[str, str] = models.CharField(max_length=10)
    actor: models.CharField[str, str] = models.CharField(max_length=32)
    filed_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    changed_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    changes: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.APPLICATION
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round", "state"], name="enrol_application_state"),
            models.Index(fields=["child"], name="enrol_application_child"),
        ]

    def __str__(self) -> str:
        return self.id


class Change(models.Model):
    """What was done to an application, for its history. The id is '<application>-<position>'.

    `what` is an act's name; `detail` a document's kind, a claim's number, or ''.
    """

    id: models.CharField[str, str] = models.CharField(max_length=80, primary_key=True)
    application: models.CharField[str, str] = models.CharField(max_length=65)
    what: models.CharField[str, str] = models.CharField(max_length=20)
    detail: models.CharField[str, str] = models.CharField(max_length=16)
    by: models.CharField[str, str] = models.CharField(max_length=10)
    actor: models.CharField[str, str] = models.CharField(max_length=32)
    at_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.CHANGE
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["application"], name="enrol_change_application"),
        ]

    def __str__(self) -> str:
        return self.id


class Claim(models.Model):
    """A clerk's decision on one claim of an application. The id is '<application>-<number>'.

    Which priority it is about stands in the application's sealed facts, not here.
    """

    id: models.CharField[str, str] = models.CharField(max_length=72, primary_key=True)
    application: models.CharField[str, str] = models.CharField(max_length=65)
    number: models.BigIntegerField[int, int] = models.BigIntegerField()
    state: models.CharField[str, str] = models.CharField(max_length=10)
    reason_sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    clerk: models.CharField[str, str] = models.CharField(max_length=32)
    decided_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.CLAIM
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["application"], name="enrol_claim_application"),
        ]

    def __str__(self) -> str:
        return self.id


class Document(models.Model):
    """A file that a family handed in; it lies sealed under `blob`, at home and at embassies."""

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    application: models.CharField[str, str] = models.CharField(max_length=65)
    kind: models.CharField[str, str] = models.CharField(max_length=16)
    name_sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    media_type: models.TextField[str, str] = models.TextField()
    size_bytes: models.BigIntegerField[int, int] = models.BigIntegerField()
    blob: models.BinaryField[bytes, bytes] = models.BinaryField()
    added_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.DOCUMENT
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["application"], name="enrol_document_application"),
        ]

    def __str__(self) -> str:
        return self.id


class Secret(models.Model):
    """What an embassy committed to for a round's lottery. The id is '<round>-<embassy>'.

    `embassy` is its statement key's text, `escrow` the deal, `committed` the commitment's position.
    `secret` and `evidence` (what proves it) are NULL until the seed is drawn; `told_by` says who
    opened it, '' before.
    """

    id: models.CharField[str, str] = models.CharField(max_length=1200, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    embassy: models.TextField[str, str] = models.TextField()
    commitment: models.BinaryField[bytes, bytes] = models.BinaryField()
    escrow: models.BinaryField[bytes, bytes] = models.BinaryField()
    statement: models.BinaryField[bytes, bytes] = models.BinaryField()
    secret: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    told_by: models.CharField[str, str] = models.CharField(max_length=10)
    evidence: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    committed: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.SECRET
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round"], name="enrol_secret_round"),
        ]

    def __str__(self) -> str:
        return self.id


class Draw(models.Model):
    """A round's lottery, drawn: by which act its list was closed, and the checkpoint over that."""

    round: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    closed: models.BigIntegerField[int, int] = models.BigIntegerField()
    size: models.BigIntegerField[int, int] = models.BigIntegerField()
    root: models.BinaryField[bytes, bytes] = models.BinaryField()
    seed: models.BinaryField[bytes, bytes] = models.BinaryField()
    drawn_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.DRAW
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.round


class Result(models.Model):
    """What a round came to for a child. The id is '<round>-<child>'.

    `programme` and `pool` are '' where there is no seat, `choice` counts from 1 (0: none).
    `answer_by_s` is the round's, or later where a waiting list moved. `state` is one of
    tables.NOT_OFFERED and on.
    """

    id: models.CharField[str, str] = models.CharField(max_length=65, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    child: models.CharField[str, str] = models.CharField(max_length=32)
    programme: models.CharField[str, str] = models.CharField(max_length=32)
    pool: models.CharField[str, str] = models.CharField(max_length=32)
    choice: models.BigIntegerField[int, int] = models.BigIntegerField()
    state: models.CharField[str, str] = models.CharField(max_length=10)
    answer_by_s: models.BigIntegerField[int, int] = models.BigIntegerField()
    changed_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.RESULT
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round", "programme"], name="enrol_result_programme"),
            models.Index(fields=["child"], name="enrol_result_child"),
            models.Index(fields=["round", "state"], name="enrol_result_state"),
            models.Index(fields=["state", "answer_by_s"], name="enrol_result_answer"),
        ]

    def __str__(self) -> str:
        return self.id


class Place(models.Model):
    """A child's place in a programme's waiting list. The id is '<round>-<programme>-<child>'.

    `order` ranks within the list, smaller first, and says nothing of the child's priorities.
    `choice` is which of the child's choices the programme is, from 1.
    """

    id: models.CharField[str, str] = models.CharField(max_length=98, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    programme: models.CharField[str, str] = models.CharField(max_length=32)
    child: models.CharField[str, str] = models.CharField(max_length=32)
    order: models.BigIntegerField[int, int] = models.BigIntegerField()
    choice: models.BigIntegerField[int, int] = models.BigIntegerField()
    state: models.CharField[str, str] = models.CharField(max_length=10)
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.PLACE
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round", "programme", "state"], name="enrol_place_state"),
            models.Index(fields=["round", "child"], name="enrol_place_child"),
        ]

    def __str__(self) -> str:
        return self.id


class Appeal(models.Model):
    """A family's appeal against a result, and a clerk's decision with its reasons."""

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    child: models.CharField[str, str] = models.CharField(max_length=32)
    text_sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    state: models.CharField[str, str] = models.CharField(max_length=10)
    reason_sealed: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    programme: models.CharField[str, str] = models.CharField(max_length=32)
    clerk: models.CharField[str, str] = models.CharField(max_length=32)
    appealed_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    decided_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.APPEAL
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["round", "state"], name="enrol_appeal_state"),
            models.Index(fields=["child"], name="enrol_appeal_child"),
        ]

    def __str__(self) -> str:
        return self.id


class Notice(models.Model):
    """Something that families are told by letter. The id is '<position>-<child>', for the order.

    `position` is that of the act, in twelve digits in the id; `kind` is the letter's (notices.py).
    `child` is '' where it concerns all children of the round.
    """

    id: models.CharField[str, str] = models.CharField(max_length=45, primary_key=True)
    kind: models.CharField[str, str] = models.CharField(max_length=16)
    round: models.CharField[str, str] = models.CharField(max_length=32)
    child: models.CharField[str, str] = models.CharField(max_length=32)
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = tables.NOTICE
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.id
