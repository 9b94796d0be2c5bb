"""How far the circumstances (a company profile, a knowledge base) answer a demand. Nothing is promised that is not there."""

from __future__ import annotations

import re

from agents.llm.offline import text as reading
from agents.llm.offline.lexicon import EVERYWHERE
from agents.llm.offline.material import Material
from agents.llm.offline.seed import Seed

OPEN, PARTLY, COVERED = range(3)


_OPEN_ANSWER = "To be confirmed: the material given says nothing about this."


def response(seed: Seed, material: Material) -> str:
    """What the circumstances (a company profile, a knowledge base) say about it; nothing is promised that is not there."""
    degree, sentence = coverage(seed, material)
    if degree == OPEN:
        return _OPEN_ANSWER
    return sentence if degree == COVERED else f"{sentence} To be confirmed: whether this covers all of it."


def coverage(seed: Seed, material: Material) -> tuple[int, str]:
    """How far a sentence of the reference answers the demand, by the share of its meaningful words."""
    wanted = _roots(seed.text)
    best, share, text = 0, 0.0, ""
    for sentence in reading.sentences(material.reference):
        shared = len(wanted & _roots(sentence.text))
        if shared and (shared, shared / len(wanted)) > (best, share):
            best, share, text = shared, shared / len(wanted), sentence.text
    if best >= 3 and share >= 0.45:
        return COVERED, text
    return (PARTLY, text) if best >= 2 else (OPEN, "")


def _roots(text: str) -> set[str]:
    """Words without what grammar adds, so that "saved" meets "save" and "registering" meets "registration"."""
    words = set(reading.words(text)) - EVERYWHERE
    return {
        re.sub(r"(?:ations?|ings?|ions?|ed|es|er|ly|e)$", "", word)[:6] if len(word) > 4 else word for word in words
    }


# Words that every demand has and that answer none.


def status_label(words: list[str], degree: int) -> str | None:
    """covered | partly | open by whatever names the schema has for them."""
    patterns = {
        COVERED: r"(?:fully_?)?(?:covered|met|compliant|fulfilled|yes|full)",
        PARTLY: r"part|limited|mostly",
        OPEN: r"open|unclear|gap|to_be|unknown|clarif|missing|not_|no$",
    }
    found = {one: next((word for word in words if re.match(pattern, word)), None) for one, pattern in patterns.items()}
    if not found[COVERED] or not (found[PARTLY] or found[OPEN]):
        return None
    return found[degree] or found[PARTLY] or found[OPEN] or found[COVERED]
