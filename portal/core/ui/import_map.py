"""The import map: `ensemble/<name>` is static/js/<name>.js, so that modules find each other under hashed names too."""

import json
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static


def import_map() -> str:
    """The map as JSON, safe inside <script>. Made once a process; each time in debug, so that new files are seen."""
    return _build() if settings.DEBUG else _built()


def _build() -> str:
    folder = finders.find("js")
    if not folder:
        return '{"imports":{}}'
    root = Path(folder)
    names = sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.js"))
    imports = {f"ensemble/{name}": static(f"js/{name}.js") for name in names}
    return json.dumps({"imports": imports}, separators=(",", ":")).replace("<", "\\u003c")


_built = cache(_build)
