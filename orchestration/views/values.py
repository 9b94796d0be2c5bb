"""Files of a run, sent piece by piece: pages and API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from orchestration.services.values import Download
from portal.core.in_threads import in_database


def streamed(download: Download) -> HttpResponseBase:
    """Always an attachment: what is in it are other people's texts."""
    answer: HttpResponseBase
    if isinstance(download.pieces, bytes):
        answer = HttpResponse(download.pieces, content_type=download.content_type)
    else:
        answer = StreamingHttpResponse(_pieces(download.pieces), content_type=download.content_type)
    answer["Content-Disposition"] = f'attachment; filename="{download.name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    if download.size is not None:
        answer["Content-Length"] = str(download.size)
    return answer


async def _pieces(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each is read in a thread, when the one before has been sent."""
    while (piece := await in_database(next, pieces, None)) is not None:
        yield piece
