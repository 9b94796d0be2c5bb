"""Sentences that demand something: numbered requirements, must and should, items of a demanding list."""

from __future__ import annotations

import re

from agents.llm.offline import labels
from agents.llm.offline import text as reading
from agents.llm.offline.seed import Seed, distinct

_FILLER = re.compile(r"^(?:this (?:document|section|request)|the purpose of this|see |for questions|questions)\b", re.I)


def requirements(text: str) -> list[Seed]:
    """Sentences that demand something, in order. A list item under a demanding introduction is a demand as well."""
    found: list[Seed] = []
    introduced = False
    sentences = reading.sentences(text)
    coded = [sentence for sentence in sentences if _CODE.match(sentence.number)]
    if len(coded) >= 6:  # the author has numbered them: what is not numbered is no requirement
        return [Seed(one.text, one.section, one.number) for one in coded]
    for sentence in sentences:
        if " | " in sentence.text:
            continue
        if sentence.text.endswith(":"):
            introduced = labels.demands(sentence.text)
            continue
        if not sentence.item:
            introduced = False
        if len(sentence.text.split()) < 4 or _FILLER.match(sentence.text):
            continue
        if labels.demands(sentence.text) or (
            sentence.item and (introduced or _REQUIREMENT_SECTION.search(sentence.section))
        ):
            found.append(Seed(sentence.text, sentence.section, sentence.number))
    return distinct(found)


_CODE = re.compile(r"[A-Z]{1,6}[-.]?\d{1,4}(?:\.\d+)?$")


_REQUIREMENT_SECTION = re.compile(r"requirement|specification|scope|deliverable|functional|must|obligation", re.I)
