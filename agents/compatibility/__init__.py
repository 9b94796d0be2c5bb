"""What a change of a data contract means for those who rely on it. Pure.

    compatibility(old, new, "input")     every change of one schema, each with whether it breaks
    contract_changes(old, new)           the same for inputs and outputs together
    contract_numbers([...])              "1.0", "1.1", "2.0": what the contracts of successive versions are called

Inputs and outputs are judged from opposite sides. Callers break when less is accepted than before; readers break when
something may come that did not. So the same change (a new enum value, say) is harmless on one side and breaking on the
other. At the bottom of both lies one question: is everything that one schema allows allowed by the other too? What
cannot be told by rule (`anyOf`, patterns) counts as breaking and is named as something to look at.

An object is taken to hold what its schema declares: nobody sends members that are not in the contract, and readers pass
over those that they do not know. So a new optional input and a new output break nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agents.compatibility import words
from agents.compatibility.losses import Loss, gone, losses
from agents.compatibility.reading import JSON, Schema

Side = Literal["input", "output"]
_MEMBERS = ("refused", "closed")


@dataclass(frozen=True, slots=True)
class Contract:
    inputs: Schema
    outputs: Schema


@dataclass(frozen=True, slots=True)
class Change:
    """One change: Change("input", "required", "$.currency", "is now required", True).

    kind: required, added, removed, type, values, only (these values), upper, lower (limits), form (format, multipleOf),
    unique, closed, refused, unjudged.
    """

    side: Side
    kind: str
    path: str
    message: str
    breaking: bool

    def __str__(self) -> str:
        return f"{self.side} {self.path} {self.message}"

    def as_json(self) -> dict[str, JSON]:
        return {
            "side": self.side,
            "kind": self.kind,
            "path": self.path,
            "message": self.message,
            "breaking": self.breaking,
        }


def compatibility(old: Schema, new: Schema, direction: Side) -> list[Change]:
    """Every change from `old` to `new`, what breaks first."""
    narrowed, widened = list(losses(old, new, "$", old, new)), list(losses(new, old, "$", new, old))
    removed, added = list(gone(old, new, "$", old, new)), list(gone(new, old, "$", new, old))
    if direction == "input":
        breaking = [_change("input", loss, words.NARROWER_INPUT, True) for loss in narrowed]
        harmless = [_change("input", loss, words.WIDER_INPUT, False) for loss in widened if loss.kind != "refused"]
        harmless += [Change("input", "removed", path, "is no longer looked at", False) for path in removed]
    else:
        # readers pass over members that they do not know
        lost = [loss for loss in widened if loss.kind not in _MEMBERS and loss.path not in removed]
        breaking = [_change("output", loss, words.WIDER_OUTPUT, True) for loss in lost]
        breaking += [Change("output", "removed", path, "is gone", True) for path in removed]
        harmless = [_change("output", loss, words.NARROWER_OUTPUT, False) for loss in narrowed]
    harmless += [Change(direction, "added", path, "is new", False) for path in added]
    found = [*breaking, *(change for change in harmless if not _is_told(change, breaking))]
    return list(dict.fromkeys(found))


def _change(side: Side, loss: Loss, sentences: Mapping[str, str], breaking: bool) -> Change:
    return Change(side, loss.kind, loss.path, words.sentence(sentences, loss), breaking)


def _is_told(change: Change, breaking: Sequence[Change]) -> bool:
    """By something that breaks at the same place, or by another type there or around it."""
    return any(
        change.path == other.path
        or (other.kind == "type" and change.path.startswith((f"{other.path}.", f"{other.path}[")))
        for other in breaking
    )


def contract_changes(old: Contract, new: Contract) -> list[Change]:
    """Inputs first."""
    return [*compatibility(old.inputs, new.inputs, "input"), *compatibility(old.outputs, new.outputs, "output")]


def breaking_changes(old: Contract, new: Contract) -> list[Change]:
    """Every change of `new` that may break a workflow made for `old`, inputs first."""
    return [change for change in contract_changes(old, new) if change.breaking]


def contract_numbers(contracts: Sequence[Contract]) -> list[str]:
    """major.minor of each, the oldest first: what breaks counts the major up, any other change the minor."""
    major, minor, numbers = 1, 0, list[str]()
    for index, contract in enumerate(contracts):
        if index:
            changes = contract_changes(contracts[index - 1], contract)
            if any(change.breaking for change in changes):
                major, minor = major + 1, 0
            elif changes:
                minor += 1
        numbers.append(f"{major}.{minor}")
    return numbers
