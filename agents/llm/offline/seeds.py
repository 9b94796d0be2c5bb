"""What a list in the output schema is made of: the name of the list says what to look for in the material."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agents.llm.offline import text as reading
from agents.llm.offline.finders import FINDERS, NO_FALLBACK, sentences_about
from agents.llm.offline.material import FINDING_NAME, Material
from agents.llm.offline.seed import Seed, meaning_of, seed_of

JSON = Any
MOST_ITEMS = 60


def seeds(name: str, description: str, properties: Mapping[str, JSON], material: Material) -> list[Seed]:
    """What the list `name` is to hold; at most 60."""
    given = _given(name, properties, material)
    if given:
        return given[:MOST_ITEMS]
    words = f"{name.replace('_', ' ')}".lower()
    for pattern, find in FINDERS:
        if re.search(pattern, words):
            found = find(material)
            if found or pattern in NO_FALLBACK or material.nothing_found:
                return found[:MOST_ITEMS]
    for pattern, find in FINDERS:
        if re.search(pattern, description.lower()) and (found := find(material)):
            return found[:MOST_ITEMS]
    return sentences_about(material, f"{words} {description}")[:8]


def _given(name: str, properties: Mapping[str, JSON], material: Material) -> list[Seed]:
    """Lists of earlier steps whose objects have the fields that are asked for; all of the best fitting name."""
    if not properties:
        return []
    fitting: list[tuple[float, list[dict[str, JSON]]]] = []
    for given_name, rows in material.objects:
        keys = {meaning_of(key) for row in rows for key in row}
        wanted = {meaning_of(key) for key in properties}
        share = len(keys & wanted) / max(1, len(wanted))
        near = bool(set(reading.words(name.replace("_", " "))) & set(reading.words(given_name.replace("_", " "))))
        if (share >= 0.5 and len(keys & wanted) >= 2) or (near and keys & wanted):
            fitting.append((share + near, rows))
    if not fitting:
        return []
    if FINDING_NAME.search(name):  # reports of several reviewers belong together
        rows = [row for _, found in fitting for row in found]
    else:
        rows = max(fitting, key=lambda pair: pair[0])[1]
    return [seed_of(row) for row in rows]
