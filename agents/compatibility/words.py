"""What a loss is called: a sentence by its kind, from the side of those who send and of those who read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.compatibility.losses import Loss

NARROWER_INPUT: Mapping[str, str] = {
    "type": "no longer takes {types}",
    "values": "no longer takes {values}",
    "only": "now takes only {values}",
    "required": "is now required",
    "refused": "is no longer known and would be refused",
    "closed": "now refuses members that it does not know",
    "upper": "has a lower limit: {keyword} {limit}",
    "lower": "asks for more: {keyword} {limit}",
    "form": "must now have {keyword} {literal}",
    "unique": "must no longer hold an item twice",
    "unjudged": "has a changed {keywords}, which cannot be compared by rule: look at it",
}
"""What callers lose: it breaks."""
WIDER_INPUT: Mapping[str, str] = {
    "type": "now also takes {types}",
    "values": "now also takes {values}",
    "only": "takes more than the known values now",
    "required": "is no longer required",
    "closed": "now passes over members that it does not know",
    "upper": "is no longer limited by {keyword} {limit}",
    "lower": "no longer asks for {keyword} {limit}",
    "form": "need not have {keyword} {literal} any more",
    "unique": "may now hold an item twice",
    "unjudged": "no longer keeps to its {keywords}",
}
WIDER_OUTPUT: Mapping[str, str] = {
    "type": "may now be {types}",
    "values": "may now be {values}",
    "only": "may now be anything, not only the known values",
    "required": "is no longer promised",
    "upper": "may now exceed {keyword} {limit}",
    "lower": "may now be below {keyword} {limit}",
    "form": "no longer has the {keyword} {limit}",
    "unique": "may now hold an item twice",
    "unjudged": "has a changed {keywords}, which cannot be compared by rule: look at it",
}
"""What readers must now reckon with: it breaks."""
NARROWER_OUTPUT: Mapping[str, str] = {
    "type": "is never {types} any more",
    "values": "is never {values} any more",
    "only": "is now only {values}",
    "required": "is now promised",
    "refused": "is gone",
    "closed": "now holds nothing that is not declared",
    "upper": "now keeps to {keyword} {limit}",
    "lower": "now keeps to {keyword} {limit}",
    "form": "now has the {keyword} {limit}",
    "unique": "now holds no item twice",
    "unjudged": "now keeps to {keywords}",
}


def sentence(sentences: Mapping[str, str], loss: Loss) -> str:
    return sentences[loss.kind].format(**_parts(loss))


def _parts(loss: Loss) -> dict[str, str]:
    match loss.kind:
        case "type":
            return {"types": " or ".join(loss.what)}
        case "values" | "only":
            return {"values": _shown(loss.what)}
        case "upper" | "lower" | "form":
            keyword, limit = loss.what
            return {"keyword": keyword, "limit": str(limit), "literal": _shown([limit])}
        case "unjudged":
            return {"keywords": ", ".join(loss.what)}
    return {}


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:8]) + (" …" if len(values) > 8 else "")
