"""Model fields of the whole portal."""

import json
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.types.json import Json


class OrderedJSONField(models.JSONField):
    """A JSON column that gives back what was put in, order of keys included: PostgreSQL's `json`.

    `jsonb` sorts keys by length; in a schema or definition the order of properties is that of the form. It can be read
    and written, and searched only through a cast.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return json.loads(value) if isinstance(value, str | bytes) else value

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return value if value is None or hasattr(value, "as_sql") else Json(value)
