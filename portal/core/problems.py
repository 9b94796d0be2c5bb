"""Errors of the API as problem details (RFC 9457), media type application/problem+json:

    {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "…", "code": "not_found",
     "problems": [{"code", "message", "path"}], "request_id": "…"}

`code` is the word for programs, `detail` the sentence for people. `problems` is there when several things are wrong at
once: its `path` is a JSON path from the body or the query (`inputs.rfp`). Nothing unexpected is ever told in detail:
the reference id leads to the log.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from portal.core import redaction
from portal.core.access import MissingPermission
from portal.core.errors import UserError

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
AWAY = (OperationalError, InterfaceError)
"""What Django raises when the database does not answer, or has no connection left."""
RETRY_AFTER = 5  # seconds


def problem(
    request: HttpRequest,
    status: int,
    detail: str,
    code: str,
    problems: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> HttpResponse:
    """One problem document; `more` are further members, e.g. `state="completed"`."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **({"problems": list(problems)} if problems else {}),
        **more,
        "request_id": getattr(request, "request_id", None),
    }
    response = JsonResponse(redaction.redact(body), status=status, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Ensemble"'
    return response


def install(api: NinjaAPI) -> None:
    """Answer every exception of the API's operations with a problem document.

    A queryset that an operation returns is asked only after it, and its error is then one of pydantic's: return lists.
    """
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        ValidationError: _invalid,
        DjangoValidationError: _invalid_model,
        UserError: user_error,
        PermissionDenied: _denied,
        AuthenticationError: _unauthenticated,
        Http404: _not_found,
        HttpError: _http_error,
        DataError: invalid_value,
        IntegrityError: at_the_same_moment,
        OperationalError: database_away,
        InterfaceError: database_away,
        Exception: _unexpected,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    found = [
        {"code": str(one.get("type", "invalid")), "message": str(one.get("msg", "")), "path": _path(one.get("loc", ()))}
        for one in error.errors
    ]
    first = found[0] if found else {"path": "", "message": "The request is not valid."}
    detail = f"{first['path']}: {first['message']}" if first["path"] else first["message"]
    return problem(request, 422, detail, "invalid_request", found)


def _path(location: Sequence[Any]) -> str:
    """("body", "payload", "inputs", 0) → inputs[0]. The first word says where from, the second is our argument."""
    words = list(location)
    if words and words[0] in {"body", "form", "file"}:
        words = words[2:]
    elif words and words[0] in {"query", "path", "header", "cookie"}:
        words = words[1:]
    text = ""
    for word in words:
        text += f"[{word}]" if isinstance(word, int) else f".{word}" if text else str(word)
    return text


def _invalid_model(request: HttpRequest, error: DjangoValidationError) -> HttpResponse:
    fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    found = [
        {"code": "invalid", "message": text, "path": "" if name == "__all__" else name}
        for name, texts in fields.items()
        for text in texts
    ]
    return problem(request, 422, found[0]["message"], "invalid_request", found)


def user_error(request: HttpRequest, error: UserError) -> HttpResponse:
    answer = problem(request, error.status, error.message, error.code, error.problems, **error.facts)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def invalid_value(request: HttpRequest, error: BaseException) -> HttpResponse:
    """What PostgreSQL cannot hold: the character U+0000, a number beyond its types, a text longer than its column."""
    log.error("a value that the database cannot hold", path=request.path, exc_info=error)
    detail = "A text or a number of the request is not one that can be kept or looked up"
    is_nul = "NUL" in str(error) or "u0000" in str(error)
    held = ": it holds the character U+0000." if is_nul else ": it is too long, too large, or no JSON."
    return problem(request, 422, detail + held, "invalid_value")


CLASHES = {
    "23505": (
        "already_there",
        "Somebody else has saved the same in this moment: a name, or a key, that can be there only once. Look at"
        " theirs, then send it again under another name.",
    ),
    "23503": (
        "gone_meanwhile",
        "Something that this belongs to, or that belongs to it, has been changed or deleted in this moment. Look again,"
        " then repeat what you did.",
    ),
}
"""By PostgreSQL's code (unique_violation, foreign_key_violation): a word for programs, a sentence for people.

Services ask before they write, and say more. What is left for the database to refuse is what two people do at once.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def clash(error: BaseException | None) -> tuple[str, str] | None:
    """(code, sentence) if the database has refused what another has made impossible meanwhile."""
    is_one = isinstance(error, IntegrityError)
    return CLASHES.get(getattr(error.__cause__, "sqlstate", "")) if is_one and error else None


def at_the_same_moment(request: HttpRequest, error: IntegrityError) -> HttpResponse:
    """409 for a clash; any other refusal of the database is a bug."""
    found = clash(error)
    if found is None:
        return _unexpected(request, error)
    log.error("refused by a constraint", path=request.path, exc_info=error)
    code, sentence = found
    return problem(request, 409, sentence, code)


def _denied(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    if isinstance(error, MissingPermission):
        return problem(request, 403, str(error), "missing_permission", permission=error.permission.value)
    return problem(request, 403, str(error) or "This is not allowed.", "forbidden")


def _unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    detail = "Send a valid token: Authorization: Bearer ens_… (account page, or manage.py token)."
    return problem(request, 401, detail, "not_authenticated")


def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem(request, 404, "This does not exist, or is not yours to see.", "not_found")


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(request, error.status_code, str(error), code)


def database_away(request: HttpRequest, error: BaseException) -> HttpResponse:
    """503. Whether the last commit was made is not known: hence the key."""
    log.error("the database does not answer", path=request.path, error=str(error).strip())
    detail = (
        "The database does not answer just now. Send the request again in some seconds; with an idempotency key nothing"
        " happens twice."
    )
    answer = problem(request, 503, detail, "database_away")
    answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("unexpected error in the API", path=request.path, exc_info=error)
    reference = getattr(request, "request_id", "")
    return problem(request, 500, f"Something went wrong; the log has it under {reference}.", "internal_error")
