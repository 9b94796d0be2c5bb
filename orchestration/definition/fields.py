"""How a string in a node's settings is to be read: as a template, an expression, or an expression for later.

Every string of a node's settings is a template: `{{ expr }}` parts are replaced when the node starts. These markers,
put on a field of a node type's `Settings`, say otherwise:

    class Settings(NodeSettings):
        condition: Expression          # bare CEL (`score > 0.5`), evaluated when the node starts, replaced by its value
        output: Late = ""              # CEL or template, left as it is; the engine evaluates it when the time comes
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema


class ExpressionMarker:
    """Bare CEL; an enclosing `{{ }}` is allowed and means the same."""


class LateMarker:
    """Template or expression that is evaluated after the node has started, in another scope."""


class LiteralMarker:
    """Not a template: braces have no meaning here (ids, names of agents)."""


Expression = Annotated[Any, ExpressionMarker(), WithJsonSchema({"type": "string", "format": "cel"})]
"""Any value once it is resolved; in a definition it is a string."""
Late = Annotated[str, LateMarker()]
Literal = Annotated[str, LiteralMarker()]


class NodeSettings(BaseModel):
    """Base of every node type's settings. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
