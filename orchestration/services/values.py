"""Large values on Django's side: what comes in by pages and API is stored, what goes out is whole or streamed, what no
run names any more is removed. How values are kept is told in `orchestration.values`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from orchestration.models import Run, StoredValue
from orchestration.store.values import NotStorable, as_text, read_back
from orchestration.values import statements
from orchestration.values.encoding import Value, as_json, chunks, decoded, unpacked
from orchestration.values.keeper import Body, row_of
from orchestration.values.references import (
    KEY,
    MAY_NEED_ESCAPE,
    digests_in,
    escaped,
    is_plain,
    is_reference,
    unescaped_key,
)
from orchestration.values.splitting import Split, missing, whole
from portal.core.errors import UserError

JSON = Any
GRACE_SECONDS = 3600
"""A value that nobody names is kept for so long: it may have been written for a commit that is still to come."""
COLLECT_AT_ONCE = 200
INLINE_MOST_BYTES = 8 * 1024 * 1024
"""What is put whole into one answer or onto one page, if that is asked for."""
PREVIEW_CHARACTERS = 2000


class TooLarge(UserError):
    status = 413

    def __init__(self, message: str) -> None:
        super().__init__(message, code="too_large")


class NotJson(UserError):
    """Of numbers, mostly: NaN and Infinity, which many programs write and JSON does not have."""

    status = 422

    def __init__(self, message: str) -> None:
        super().__init__(message, code="not_json")


# -- in --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """`kept` goes into rows, `values` have to be written with them."""

    kept: JSON
    values: list[Value] = field(default_factory=list, repr=False)


def prepared(value: JSON) -> Prepared:
    """What somebody handed in, as runs carry it. Pure. Raises TooLarge, NotJson."""
    try:
        text = as_text(value)
    except NotStorable as error:
        if error.code == "too_large":
            raise TooLarge(f"This is too large. {error}") from error
        raise NotJson(f"This cannot be kept. {error}") from error
    plain = read_back(text)
    if MAY_NEED_ESCAPE in text:
        plain = escaped(plain)
    split = Split()
    return Prepared(split.split(plain), list(split.values.values()))


def write(run_id: UUID, organisation_id: int, values: Iterable[Value]) -> None:
    """Store what is not there yet, and note that the run names it. Call in the transaction that names it."""
    for value in sorted(values, key=lambda value: value.digest):
        with connection.cursor() as cursor:
            cursor.execute(statements.NAME, row_of(organisation_id, value))
            id, made = cursor.fetchone()
            if made:
                rows = [(id, number, piece) for number, piece in enumerate(chunks(value.raw))]
                cursor.executemany(statements.ADD_CHUNK, rows)
            cursor.execute(statements.USE, (run_id, id))


def adopt(run_id: UUID, organisation_id: int, kept: JSON) -> None:
    """The run names what `kept` (data of another run of the organisation) refers to. Call where it is handed over."""
    if digests := digests_in(kept):
        with connection.cursor() as cursor:
            cursor.execute(statements.ADOPT, {"run": run_id, "organisation": organisation_id, "digests": digests})


# -- out -------------------------------------------------------------------------------------------------------------


def whole_of(organisation_id: int, kept: JSON, *, most_bytes: int | None = INLINE_MOST_BYTES) -> JSON:
    """Data of a run as its author knows it. Raises TooLarge when what it refers to has more than `most_bytes`."""
    if is_plain(kept):
        return kept
    bodies: dict[str, Body] = {}
    size = 0
    while lacking := list(dict.fromkeys(missing(kept, bodies))):
        found = StoredValue.objects.filter(organisation_id=organisation_id, digest__in=lacking)
        size += sum(found.values_list("bytes", flat=True))
        if most_bytes is not None and size > most_bytes:
            most = most_bytes // 1024 // 1024
            raise TooLarge(f"What this refers to has more than {most} MiB together. Download its values one by one.")
        bodies |= {digest: _body(organisation_id, digest) for digest in lacking}
    return whole(kept, bodies)


def _body(organisation_id: int, digest: str) -> Body:
    with connection.cursor() as cursor:
        cursor.execute(statements.LOAD, {"organisation": organisation_id, "digest": digest})
        rows = cursor.fetchall()
    if not rows:
        raise StoredValue.DoesNotExist(digest)
    raw = b"".join(unpacked(chunk) for *_, chunk in rows)
    kind, plain, _ = rows[0]
    return Body(decoded(kind, raw), plain, len(raw), {})


@dataclass(frozen=True, slots=True)
class Download:
    """`pieces`: the content, or what reads it as it is asked, about a MiB at a time of what is plain. size None:
    not known before."""

    name: str
    content_type: str
    pieces: Iterator[bytes] | bytes
    size: int | None = None


TEXT, DOCUMENT, DATA = "text/plain; charset=utf-8", "text/markdown; charset=utf-8", "application/json"


def download(run: Run, digest: str) -> Download | None:
    """A value that the run names. None if it names none of this digest: another's is as good as not there."""
    value = StoredValue.objects.filter(organisation_id=run.organisation_id, digest=digest, uses__run=run).first()
    return None if value is None else _download(value, f"{str(run.pk)[:8]}-{digest[:12]}", TEXT, ".txt")


def download_of(run: Run, kept: JSON, name: str) -> Download:
    """Data of the run as a file: a text as Markdown, everything else as JSON."""
    if is_reference(kept):
        value = StoredValue.objects.get(organisation_id=run.organisation_id, digest=kept[KEY])
        return _download(value, name, DOCUMENT, ".md")
    if isinstance(kept, str):
        return Download(f"{name}.md", DOCUMENT, kept.encode())
    return Download(f"{name}.json", DATA, json_pieces(run.organisation_id, kept))


def _download(value: StoredValue, name: str, text_type: str, ending: str) -> Download:
    if value.kind == "string":
        return Download(f"{name}{ending}", text_type, _chunks_of(value), value.bytes)
    if value.plain:
        return Download(f"{name}.json", DATA, _chunks_of(value), value.bytes)
    kept = {KEY: value.digest, "bytes": value.bytes, "type": value.kind}
    return Download(f"{name}.json", DATA, json_pieces(value.organisation_id, kept))


def _chunks_of(value: StoredValue) -> Iterator[bytes]:
    """One query a chunk: the reader may be slow, and a cursor left open would hold its transaction."""
    for number in range(value.chunks.count()):
        yield unpacked(value.chunks.values_list("body", flat=True).get(number=number))


def json_pieces(organisation_id: int, kept: JSON) -> Iterator[bytes]:
    """Data of a run as JSON, whole, with one stored value in memory at a time."""
    if is_plain(kept):
        yield as_json(kept).encode()
    elif is_reference(kept):
        body = _body(organisation_id, kept[KEY])
        if body.plain:
            yield as_json(body.value).encode()
        else:
            yield from json_pieces(organisation_id, body.value)
    elif isinstance(kept, dict):
        named = ((as_json(unescaped_key(name)).encode() + b":", item) for name, item in kept.items())
        yield from _joined(b"{", b"}", named, organisation_id)
    else:
        yield from _joined(b"[", b"]", ((b"", item) for item in kept), organisation_id)


def _joined(opens: bytes, closes: bytes, parts: Iterable[tuple[bytes, JSON]], organisation_id: int) -> Iterator[bytes]:
    yield opens
    for number, (before, item) in enumerate(parts):
        yield (b"," if number else b"") + before
        yield from json_pieces(organisation_id, item)
    yield closes


def previews(organisation_id: int, digests: Iterable[str]) -> Mapping[str, str]:
    """How stored values begin, by their digests. One query, a few kilobytes a value."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGINNINGS, {"organisation": organisation_id, "digests": list(digests)})
        return {digest: _beginning(bytes(start)) for digest, start in cursor.fetchall()}


_BEGINNINGS = """
SELECT value.digest, substring(chunk.body FOR 16384)
FROM orchestration_storedvalue AS value JOIN orchestration_valuechunk AS chunk ON chunk.value_id = value.id
WHERE value.organisation_id = %(organisation)s AND value.digest = ANY(%(digests)s) AND chunk.number = 0
"""


def _beginning(start: bytes) -> str:
    text = zlib.decompressobj().decompress(start, 4 * PREVIEW_CHARACTERS)
    return text.decode(errors="ignore")[:PREVIEW_CHARACTERS]


# -- removal ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Collected:
    values: int
    bytes: int


def collect(*, age_seconds: float = GRACE_SECONDS) -> Collected:
    """Remove the values that no run names: those of runs that were deleted. Safe beside hosts that name values.

    Deleting a run (its row, by whatever way) is all that is needed before: the database takes its uses along.
    """
    values = size = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statements.COLLECT, {"age": age_seconds, "limit": COLLECT_AT_ONCE})
            gone = [row[0] for row in cursor.fetchall()]
        values, size = values + len(gone), size + sum(gone)
        if len(gone) < COLLECT_AT_ONCE:
            return Collected(values, size)
