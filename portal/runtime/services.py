"""Where PostgreSQL and Redis are: the environment says, or the running `manage.py up` has written it down."""

import json
import os
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from portal import env

BASE_DIR = Path(__file__).resolve().parents[2]
# A wheel carries templates and static files under portal/share; a checkout has them at its top level.
SHARE_DIR = BASE_DIR / "portal" / "share" if (BASE_DIR / "portal" / "share").is_dir() else BASE_DIR

# Used until a database is known, so that commands that need none (check, makemigrations) work; nothing listens there.
_NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def data_dir() -> Path:
    """The folder of all that the portal writes: PORTAL_DATA, else `var` in a checkout, else a folder of the user's."""
    named = os.environ.get("PORTAL_DATA")
    if named:
        return Path(named).expanduser().resolve()
    if SHARE_DIR == BASE_DIR:
        return BASE_DIR / "var"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ensemble"


def database_url() -> str:
    return env.text("DATABASE_URL") or _written_down("database_url") or _NOWHERE


def redis_url() -> str:
    return env.text("REDIS_URL") or _written_down("redis_url") or "redis://127.0.0.1:1/0"


def database_settings(*, process: str) -> dict[str, Any]:
    """Django's DATABASES entry. Only the web process pools: a pool inherited by forked workers crosses connections."""
    try:
        parts: dict[str, Any] = conninfo_to_dict(database_url())
    except psycopg.Error as error:
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read. It looks like postgresql://user:password@host:5432/database."
        ) from error
    options = {key: value for key, value in parts.items() if key not in {"dbname", "user", "password", "host", "port"}}
    settings: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", "postgres"),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 0 if process == "web" else 60,
        "OPTIONS": options,
    }
    if process == "web":
        settings |= {"ENGINE": "portal.core.postgresql", "CONN_HEALTH_CHECKS": False}  # it has its own way to see
        options["pool"] = {"min_size": 2, "max_size": env.integer("WEB_DB_POOL", 16), "timeout": 5}
    return settings


def write_down(data: Path, *, database_url: str, redis_url: str) -> None:
    """Called by `up`: lets other commands on the same data folder find its servers."""
    path = data / "services.json"
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"database_url": database_url, "redis_url": redis_url}), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(path)


def _written_down(key: str) -> str:
    try:
        return str(json.loads((data_dir() / "services.json").read_text(encoding="utf-8")).get(key, ""))
    except FileNotFoundError:
        return ""
