"""The mark of the static files' state, which is part of their address.

`/static/<mark>/js/app.js` never changes, so browsers keep it for ever, and a module's relative imports stay within its
mark. No copy is made and nothing is collected: files are served from where they are.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path

# Packages that bring static files of their own.
PACKAGES = ("django", "django-htmx", "django-ninja", "django-unfold")


def mark(folder: Path) -> str:
    """Ten hex digits over our files, static/vendor/'s stamp and the packages' versions; the same on every host."""
    digest = hashlib.sha256(" ".join(version(package) for package in PACKAGES).encode())
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        third_party = inside.parts[0] in {"vendor", "node_modules"}
        if path.is_file() and (not third_party or inside.as_posix() == "vendor/.stamp"):
            digest.update(inside.as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
