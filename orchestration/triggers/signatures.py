"""Signatures of webhooks: HMAC-SHA256 by a secret that sender and trigger share. Pure.

Ours:     X-Ensemble-Timestamp: 1767225600
          X-Ensemble-Signature: sha256=<hex of HMAC(secret, "1767225600." + body)>
GitHub's: X-Hub-Signature-256: sha256=<hex of HMAC(secret, body)>

Ours covers the time, so an old request is worth nothing; GitHub's does not, so each signature counts once, for as long
as it is remembered.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

TIMESTAMP, SIGNATURE, GITHUB_SIGNATURE = "X-Ensemble-Timestamp", "X-Ensemble-Signature", "X-Hub-Signature-256"


class Scheme(StrEnum):
    ENSEMBLE = "ensemble"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a request says of itself. `timestamp` is None with GitHub's scheme."""

    digest: str
    """Hexadecimal, 64 characters."""
    timestamp: int | None


def sign(secret: str, body: bytes, timestamp: int | None = None) -> str:
    """The value of the signature's header."""
    signed = body if timestamp is None else b"%d." % timestamp + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def proof(scheme: Scheme, headers: Mapping[str, str]) -> Proof | None:
    """What the headers claim; None when they are missing or no signature."""
    name = GITHUB_SIGNATURE if scheme is Scheme.GITHUB else SIGNATURE
    kind, _, digest = headers.get(name, "").strip().partition("=")
    if kind.lower() != "sha256" or len(digest) != 64 or not digest.isascii():
        return None
    if scheme is Scheme.GITHUB:
        return Proof(digest.lower(), None)
    stamp = headers.get(TIMESTAMP, "").strip()
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        return None
    return Proof(digest.lower(), int(stamp))


def holds(secret: str, body: bytes, claimed: Proof) -> bool:
    """Compares in constant time."""
    expected = sign(secret, body, claimed.timestamp).partition("=")[2]
    return hmac.compare_digest(expected.encode(), claimed.digest.encode())
