"""Full-text search over agents that also works while one types.

The document holds each word twice: as written (`simple`), so that the beginning of a word finds it ("pricin"), and by
its stem (`english`), so that "prices" finds "pricing". The database keeps it: a generated column.
"""

import re
from functools import reduce
from operator import and_

from django.contrib.postgres.search import SearchQuery, SearchQueryCombinable, SearchVectorField
from django.db.models import F, Func

_WEIGHTS = {"name": "A", "slug": "A", "skills": "B", "tags": "B", "description": "C"}
_LONGEST_QUERY = 12  # words; more only cost time


class WeightedWords(Func):
    """The words of one text or JSON column with their weight; immutable, as a generated column asks."""

    template = "setweight(to_tsvector('%(config)s'::regconfig, %(expressions)s), '%(weight)s')"
    output_field = SearchVectorField()


class Joined(Func):
    template, arg_joiner = "%(expressions)s", " || "
    output_field = SearchVectorField()


def document() -> Func:
    """The expression of `Agent.search`."""
    parts = [
        WeightedWords(F(column), config=config, weight=weight)
        for column, weight in _WEIGHTS.items()
        for config in ("simple", "english")
    ]
    return Joined(*parts)


def search_query(text: str) -> SearchQueryCombinable | None:
    """Every word must be there, as the beginning of a word or by its stem. None if the text holds no word."""
    words = re.findall(r"\w+", text)[:_LONGEST_QUERY]
    if not words:
        return None
    each = [
        SearchQuery(f"{word}:*", search_type="raw", config="simple") | SearchQuery(word, config="english")
        for word in words
    ]
    return reduce(and_, each)
