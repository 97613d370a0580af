"""The registers of accounts as pages read them. `apply` alone writes them; Django never does.

Personal values are sealed under the subject's key. Tokens are the keeper's (TowerEdge.token), so
that an address or a number is found without being readable. `position` is that of the act that
last changed the row: below the watermark it is confirmed.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from kulla.services.accounts import apply
from kulla.services.accounts.assertions import fingerprint


class Account(models.Model):
    """A person who can sign in: the language of their letters, and whether reminders are sent.

    `reminders` is 'mail' or 'none'. Staff who were there at the founding may have none.
    """

    subject: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    language: models.CharField[str, str] = models.CharField(max_length=2)
    reminders: models.CharField[str, str] = models.CharField(max_length=8)
    opened_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.ACCOUNT
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.subject


class Address(models.Model):
    """A mail address or telephone number ('mail', 'phone') by which a person can be reached."""

    token: models.BinaryField[bytes, bytes] = models.BinaryField(primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    kind: models.CharField[str, str] = models.CharField(max_length=8)
    sealed: models.BinaryField[bytes, bytes] = models.BinaryField()
    added_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.ADDRESS
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject"], name="accts_address_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}"


class Passkey(models.Model):
    """A passkey: its credential id (base64url, no padding) and its public key (COSE, RFC 9052).

    `transports` are WebAuthn's words joined by commas; `backed_up` is 1 where a provider keeps a
    copy. `label_sealed` is what the person calls it, None where nobody said.
    """

    credential: models.CharField[str, str] = models.CharField(max_length=1400, primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    public_key: models.BinaryField[bytes, bytes] = models.BinaryField()
    label_sealed: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    transports: models.TextField[str, str] = models.TextField()
    backed_up: models.BigIntegerField[int, int] = models.BigIntegerField()
    added_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.PASSKEY
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject"], name="accts_passkey_subject"),
        ]

    def __str__(self) -> str:
        return f"passkey of {self.subject}"

    @property
    def fingerprint(self) -> str:
        """What people tell it by; see assertions.fingerprint."""
        return fingerprint(bytes(self.public_key))


class Identity(models.Model):
    """A person at a provider of identities (OpenID Connect): token of 'issuer sub'."""

    token: models.BinaryField[bytes, bytes] = models.BinaryField(primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    issuer: models.TextField[str, str] = models.TextField()
    linked_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.IDENTITY
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject"], name="accts_identity_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class Number(models.Model):
    """The personal number of a person who stood at a counter, and the document that showed it."""

    token: models.BinaryField[bytes, bytes] = models.BinaryField(primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    document: models.CharField[str, str] = models.CharField(max_length=8)
    identified_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.NUMBER
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject"], name="accts_number_subject"),
        ]

    def __str__(self) -> str:
        return f"number of {self.subject}"


class Relation(models.Model):
    """Who acts for whom: `kind` is 'child' or 'attorney', `state` is 'stands' or 'ended'.

    `until_day` is the last day (UTC) on which it holds, '' where it holds until it is ended.
    """

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    guardian: models.CharField[str, str] = models.CharField(max_length=32)
    ward: models.CharField[str, str] = models.CharField(max_length=32)
    kind: models.CharField[str, str] = models.CharField(max_length=8)
    until_day: models.CharField[str, str] = models.CharField(max_length=10)
    state: models.CharField[str, str] = models.CharField(max_length=8)
    since_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.RELATION
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["guardian"], name="accts_relation_guardian"),
            models.Index(fields=["ward"], name="accts_relation_ward"),
        ]

    def __str__(self) -> str:
        return f"{self.guardian} for {self.ward} ({self.kind})"


class Acting(models.Model):
    """The newest relations of one guardian ('guardian:ward') to one ward, by kind; '' for none.

    It lets a replay, which reaches rows by key alone, see whether somebody may act for another.
    """

    pair: models.CharField[str, str] = models.CharField(max_length=65, primary_key=True)
    child: models.CharField[str, str] = models.CharField(max_length=32)
    attorney: models.CharField[str, str] = models.CharField(max_length=32)
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.ACTING
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.pair


class Offer(models.Model):
    """A power of attorney that `subject` offered and nobody took up yet, by its secret's hash."""

    secret_hash: models.BinaryField[bytes, bytes] = models.BinaryField(primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    until_day: models.CharField[str, str] = models.CharField(max_length=10)
    offered_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.OFFER
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject"], name="accts_offer_subject"),
        ]

    def __str__(self) -> str:
        return f"offer of {self.subject}"


class StaffRole(models.Model):
    """A role that stands: `id` is 'subject:role', `role` is 'clerk', 'operator' or 'analyst'."""

    id: models.CharField[str, str] = models.CharField(max_length=48, primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    role: models.CharField[str, str] = models.CharField(max_length=16)
    granted_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.ROLE
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject"], name="accts_role_subject"),
            models.Index(fields=["role"], name="accts_role_role"),
        ]

    def __str__(self) -> str:
        return self.id


class Proposal(models.Model):
    """One operator's wish that a role be given (`add` 1) or taken (0): another must approve.

    `state` is 'open', 'approved' or 'withdrawn'.
    """

    id: models.CharField[str, str] = models.CharField(max_length=32, primary_key=True)
    subject: models.CharField[str, str] = models.CharField(max_length=32)
    role: models.CharField[str, str] = models.CharField(max_length=16)
    add: models.BigIntegerField[int, int] = models.BigIntegerField()
    proposed_by: models.CharField[str, str] = models.CharField(max_length=32)
    state: models.CharField[str, str] = models.CharField(max_length=16)
    proposed_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.PROPOSAL
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject"], name="accts_proposal_subject"),
            models.Index(fields=["state"], name="accts_proposal_state"),
        ]

    def __str__(self) -> str:
        return f"{'+' if self.add else '-'}{self.role} {self.subject}"


class ApiToken(models.Model):
    """A token of the API by its SHA-256. `scopes` are joined by spaces; 'active' or 'revoked'.

    `holder` is the citizen in whose name it acts, '' for one that an operator gave. Those have a
    `name`; what a citizen calls theirs is `label_sealed`, None where they said nothing.
    """

    token_hash: models.BinaryField[bytes, bytes] = models.BinaryField(primary_key=True)
    holder: models.CharField[str, str] = models.CharField(max_length=32)
    name: models.TextField[str, str] = models.TextField()
    label_sealed: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    scopes: models.TextField[str, str] = models.TextField()
    state: models.CharField[str, str] = models.CharField(max_length=8)
    issued_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.API_TOKEN
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["holder"], name="accts_api_token_holder"),
        ]

    def __str__(self) -> str:
        return self.name


class Founding(models.Model):
    """One row, 'staff', from the first role on: staff sign their commands from then on.

    `command` is the key of the command that founded the staff.
    """

    id: models.CharField[str, str] = models.CharField(max_length=8, primary_key=True)
    command: models.BinaryField[bytes, bytes] = models.BinaryField()
    founded_ms: models.BigIntegerField[int, int] = models.BigIntegerField()
    position: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = apply.FOUNDING
        indexes: ClassVar[list[models.Index]] = []

    def __str__(self) -> str:
        return self.id
