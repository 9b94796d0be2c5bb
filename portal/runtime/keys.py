"""Where the signing key and the keys of the secrets store come from.

Production sets SECRET_KEY and SECRETS_KEYS (comma-separated Fernet keys, newest first). Without them both live in
`keys.json` of the data folder, made on first use and readable by its owner only.
"""

import json
import os
from pathlib import Path
from typing import TypedDict, cast

from cryptography.fernet import Fernet
from django.core.management.utils import get_random_secret_key

from portal import env
from portal.runtime import services


class _Keys(TypedDict):
    secret_key: str
    secrets_keys: list[str]


def secret_key() -> str:
    return env.text("SECRET_KEY") or _stored()["secret_key"]


def secrets_keys() -> list[str]:
    return env.words("SECRETS_KEYS") or _stored()["secrets_keys"]


def _stored() -> _Keys:
    path = services.data_dir() / "keys.json"
    if not path.exists():
        _create(path)
    return cast(_Keys, json.loads(path.read_text(encoding="utf-8")))


def _create(path: Path) -> None:
    """Write new keys once. Linking the finished file into place lets exactly one of several processes win."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".keys.{os.getpid()}")
    keys = {"secret_key": get_random_secret_key(), "secrets_keys": [Fernet.generate_key().decode()]}
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(keys, file)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its keys hold
    finally:
        draft.unlink()
