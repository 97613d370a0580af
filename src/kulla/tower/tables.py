"""From a service's Django models to the plain tables that scribe and rebuild write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from django.db import models

from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Column, Table

_KINDS: tuple[tuple[type[models.Field[object, object]], Literal["int", "text", "bytes"]], ...] = (
    (models.IntegerField, "int"),
    (models.CharField, "text"),
    (models.TextField, "text"),
    (models.BinaryField, "bytes"),
)


class ModelUnfit(KullaError):
    """A model has a field that a register can't hold."""


def table_of(model: type[models.Model]) -> Table:
    """The table of a model; its primary key comes first.

    Raises ModelUnfit for a field that is not an integer, text or bytes: those alone are stored the
    same way by every database and replayed the same way by every release.
    """
    fields = sorted(model._meta.concrete_fields, key=lambda field: not field.primary_key)
    columns = tuple(_column(model, field) for field in fields)
    indexes = tuple(tuple(index.fields) for index in model._meta.indexes)
    return Table(model._meta.db_table, columns, indexes)


def tables_of(found: Iterable[type[models.Model]]) -> tuple[Table, ...]:
    """The tables of several models, in the order of their names."""
    return tuple(sorted((table_of(model) for model in found), key=lambda table: table.name))


def _column(model: type[models.Model], field: models.Field[object, object]) -> Column:
    for kind_of_field, kind in _KINDS:
        if isinstance(field, kind_of_field):
            assert field.column is not None
            return Column(field.column, kind, nullable=field.null)
    raise ModelUnfit(
        f"a {type(field).__name__} can't stand in a register.",
        place=f"{model.__name__}.{field.name}",
        remedy="Use BigIntegerField, CharField, TextField or BinaryField.",
    )
