"""Starting a run with inputs that are too large for a JSON body (12 MiB): each as a file of a multipart request."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from pydantic import ValidationError

from orchestration.values.splitting import LARGEST_BYTES
from portal.core import reading
from portal.core.errors import UserError

JSON = Any


class InvalidUpload(UserError):
    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_upload")


def inputs_of(request: HttpRequest) -> dict[str, JSON]:
    """Files by the names of the inputs they are for: `*.json` as JSON, everything else as UTF-8 text.

    Raises InvalidUpload.
    """
    return {name: _content(name, file) for name, file in request.FILES.items() if isinstance(file, UploadedFile)}


def _content(name: str, file: UploadedFile) -> JSON:
    if (file.size or 0) > LARGEST_BYTES:
        raise InvalidUpload(f"The file for {name} has more than {LARGEST_BYTES // 1024 // 1024} MiB.")
    try:
        text = file.read().decode()
    except UnicodeDecodeError:
        raise InvalidUpload(f"The file for {name} is not UTF-8 text.") from None
    if not (file.name or "").endswith(".json"):
        return text
    try:
        return reading.json_of(text)
    except json.JSONDecodeError as error:
        raise InvalidUpload(f"The file for {name} is not JSON: {error}") from None


def words(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"run: {'.'.join(map(str, first['loc']))} {first['msg']}."
