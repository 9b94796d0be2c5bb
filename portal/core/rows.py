"""New rows by statements that are made once: for the few tables that every start of a run writes.

`save()` makes its SQL anew each time, which takes longer than PostgreSQL needs to carry it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now

Names = tuple[str, ...]
_TEXTS = (models.CharField, models.TextField)


@contextmanager
def together() -> Iterator[None]:
    """Statements within travel to the database in one go, in their order; their answers are there when it ends.

    An error of any of them is raised at the end, and the others have had no effect if a transaction is around it.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def insert(instance: models.Model) -> Callable[[], None]:
    """Insert a new object, as `save(force_insert=True)` does, but without signals.

    What the database makes (its id, its defaults, `Now()`) is missing in the object until what this returns is called,
    which waits for the database's answer. Raises django.db.IntegrityError and the like.
    """
    database = connections[DEFAULT_DB_ALIAS]  # `connection` looks it up again each time a field asks it for something
    by_default, now, given, values = [], [], [], []
    for field in instance._meta.concrete_fields:
        value = field.pre_save(instance, add=True)
        if isinstance(value, DatabaseDefault) or (value is None and field.primary_key):
            by_default.append(field.attname)
        elif isinstance(value, Now):
            now.append(field.attname)
        elif value is not None or field.has_db_default():  # what is not named is null, and much of a new row is
            given.append(field.attname)
            plain = type(value) is str and isinstance(field, _TEXTS)
            values.append(value if plain else field.get_db_prep_save(value, database))
    cursor = database.cursor()
    cursor.execute(_statement(type(instance), tuple(given), tuple(now), tuple(by_default)), values)
    instance._state.adding, instance._state.db = False, database.alias

    def fill() -> None:
        with cursor:
            for name, value in zip(by_default + now, cursor.fetchone() or (), strict=True):
                setattr(instance, name, value)

    return fill


@cache
def _statement(model: type[models.Model], given: Names, now: Names, by_default: Names) -> str:
    quote = connection.ops.quote_name
    columns = {field.attname: quote(str(field.column)) for field in model._meta.concrete_fields}
    values = ["%s"] * len(given) + ["statement_timestamp()"] * len(now)
    made = ", ".join(columns[name] for name in by_default + now)
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(columns[name] for name in given + now)}) "  # noqa: S608
        f"VALUES ({', '.join(values)})" + (f" RETURNING {made}" if made else "")
    )
