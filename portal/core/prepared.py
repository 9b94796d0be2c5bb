"""Queries whose SQL is made once, for the few that every request asks.

Django makes the SQL of a query anew each time it is asked. For a handful of columns that takes longer than PostgreSQL
needs to answer, for a join of wide tables ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, QuerySet, Value
from django.db.models.query import ModelIterable, get_related_populators

R = TypeVar("R")
"""What a row becomes: an object of a model, or a tuple (`values_list`)."""
Row = Sequence[Any]


@dataclass(frozen=True)
class _Place:
    """Where in the statement an argument goes."""

    number: int


@dataclass(frozen=True)
class _Statement:
    sql: str
    arguments: tuple[Any, ...]
    converters: list[tuple[int, list[Callable[..., Any]], Any]]
    """(column, functions, expression)"""
    read: Callable[[Row], Any]


class Prepared(Generic[R]):
    """`Prepared(lambda slug: Organisation.objects.filter(slug=slug)).first("acme")`.

    The function is called once, with stand-ins for the arguments, so it must not look at them, and whatever it works
    out (the time, say) stays as it was. Arguments are what the columns hold: ids, not objects. Rows are objects with
    their `select_related`, or those of `values_list` without `flat`; `prefetch_related` is not carried out.
    """

    def __init__(self, query: Callable[..., QuerySet[Any, R]]) -> None:
        self._query = query

    def all(self, *arguments: Any) -> list[R]:
        made = self._made
        if made is None:
            return []
        given = [arguments[one.number] if isinstance(one, _Place) else one for one in made.arguments]
        with connection.cursor() as cursor:
            cursor.execute(made.sql, given)
            rows = cursor.fetchall()
        return [made.read(_converted(row, made) if made.converters else row) for row in rows]

    def first(self, *arguments: Any) -> R | None:
        """The first row of the answer, if any. For many rows the query itself must say how few it wants."""
        return next(iter(self.all(*arguments)), None)

    @cached_property
    def _made(self) -> _Statement | None:
        """None: its conditions can never be met, which Django sees without asking."""
        count = self._query.__code__.co_argcount
        queryset = self._query(*(Value(_Place(number)) for number in range(count)))
        compiler = queryset.query.get_compiler(connection=connection)
        try:
            sql, arguments = compiler.as_sql()
        except EmptyResultSet:
            return None
        found = compiler.get_converters([column for column, *_ in compiler.select])
        converters = [(place, functions, column) for place, (functions, column) in found.items()]
        read: Callable[[Row], Any] = tuple
        if issubclass(queryset._iterable_class, ModelIterable):
            read = _reader(compiler)
        return _Statement(sql, tuple(arguments), converters, read)


def _converted(row: Row, made: _Statement) -> Row:
    values = list(row)
    for place, functions, column in made.converters:
        for function in functions:
            values[place] = function(values[place], column, connection)
    return values


def _reader(compiler: Any) -> Callable[[Row], Model]:
    """Makes an object, and those related to it, of a row; as Django's ModelIterable does."""
    facts, alias = compiler.klass_info, connection.alias
    model, columns = facts["model"], facts["select_fields"]
    start, end = columns[0], columns[-1] + 1
    names = [column.target.attname for column, *_ in compiler.select[start:end]]
    related = get_related_populators(facts, compiler.select, alias)  # type: ignore[call-arg]  # the stubs are of Django 6
    annotations = (compiler.annotation_col_map or {}).items()

    def read(row: Row) -> Model:
        made: Model = model.from_db(alias, names, row[start:end])
        for populator in related:
            populator.populate(row, made)
        for name, place in annotations:
            setattr(made, name, row[place])
        return made

    return read
