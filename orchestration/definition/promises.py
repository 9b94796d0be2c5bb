"""What a workflow promises to whoever starts it: the inputs it takes and the outputs it gives. Pure.

Inputs are a JSON Schema; outputs have names only, since what an expression gives is not known before it is evaluated.
Which changes break is for `agents.compatibility` to say, the same for workflows as for agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.compatibility import Change, Contract, contract_changes, contract_numbers
from agents.contract_schemas import schema_faults

JSON = Any


def promise(inputs: JSON, outputs: JSON) -> Contract | None:
    """Of a definition's `inputs` and `outputs`; None for a draft that is still wrong there.

    What has a default need not be given, whatever `required` says: starting a run fills it in.
    """
    inputs, outputs = inputs or {}, outputs or {}
    if not isinstance(inputs, Mapping) or not isinstance(outputs, Mapping) or schema_faults(dict(inputs)):
        return None
    properties = inputs.get("properties", {})
    filled = {name for name, raw in properties.items() if isinstance(raw, Mapping) and "default" in raw}
    required = [name for name in inputs.get("required", []) if name not in filled]
    given = {"type": "object", "properties": {str(name): {} for name in outputs}, "additionalProperties": False}
    return Contract({"type": "object", **inputs, "required": required}, given)


def promise_of(body: Mapping[str, JSON]) -> Contract | None:
    return promise(body.get("inputs"), body.get("outputs"))


def changes(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> list[Change]:
    """Every change of what the definition `new` promises against `old`, what breaks first; none for a wrong draft."""
    before, after = promise_of(old), promise_of(new)
    return [] if before is None or after is None else contract_changes(before, after)


def numbers(promises: list[Contract | None]) -> list[str]:
    """What the contracts of successive versions are called: 1.0, 1.1, 2.0. The oldest first."""
    return contract_numbers([found or Contract({}, {}) for found in promises])
