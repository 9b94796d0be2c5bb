"""The steps. Texts in fields marked late are expressions over `item`, `index`, `given` (or `value`, `given`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestration.definition.fields import Late, LateMarker
from orchestration.definition.fields import Literal as LiteralText

JSON = Any
LateJSON = Annotated[Any, LateMarker()]
"""JSON whose texts are expressions; other values stand for themselves."""
NAMES = frozenset({"item", "index", "given", "value"})
Missing = Literal["error", "skip", "null"]


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Map(Step):
    """Every row becomes `to`."""

    op: Literal["map"]
    to: LateJSON = Field(description='An expression, or an object of them: {"name": "item.name.upper()"}.')


class Filter(Step):
    """The rows of which `where` is true."""

    op: Literal["filter"]
    where: Late = Field(min_length=1)


class Set(Step):
    """Rows with further fields, or new values of old ones. Also of one object, which is then `item`."""

    op: Literal["set"]
    to: dict[str, LateJSON] = Field(min_length=1)


class Sort(Step):
    """In the order of `by`: numbers, texts, or lists of these. Equal rows keep their order."""

    op: Literal["sort"]
    by: Late = "item"
    descending: bool = False
    nulls: Literal["error", "first", "last"] = "error"


class Group(Step):
    """[{"key", "items"}], in the order in which keys come first."""

    op: Literal["group"]
    by: Late = Field(min_length=1)


class Join(Step):
    """Each row with each row of `with` of the same key: the field `name` of the row becomes that row.

    inner: rows without one are left out. left: they have null there.
    """

    op: Literal["join"]
    rows: JSON = Field(description="The other list, usually {{ other.outputs.rows }}.")
    left: Late = Field(min_length=1, description="The key of a row.")
    right: Late = Field("", description="The key of a row of the other list; empty: by the same expression.")
    kind: Literal["inner", "left"] = "inner"
    name: LiteralText = Field("match", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")


class Flatten(Step):
    """One level of lists dissolved."""

    op: Literal["flatten"]


class Unique(Step):
    """The first row of each value of `by`."""

    op: Literal["unique"]
    by: Late = "item"


class Reverse(Step):
    """The rows in the opposite order."""

    op: Literal["reverse"]


class Take(Step):
    """So many rows from the beginning or the end."""

    op: Literal["take"]
    count: int = Field(ge=0)
    end: Literal["start", "end"] = "start"


class Pick(Step):
    """Only these fields, of each row or of one object."""

    op: Literal["pick"]
    fields: tuple[str, ...] = Field(min_length=1)
    missing: Missing = "error"


class Omit(Step):
    """All fields but these."""

    op: Literal["omit"]
    fields: tuple[str, ...] = Field(min_length=1)


class Rename(Step):
    """Fields by new names: {"old": "new"}."""

    op: Literal["rename"]
    names: dict[str, str] = Field(min_length=1)


class Total(Step):
    of: Late = "item"
    how: Literal["count", "sum", "average", "min", "max", "first", "last", "list", "distinct"]


class Aggregate(Step):
    """One object of totals; with `by` a list of {"key", ...totals}, one a key."""

    op: Literal["aggregate"]
    totals: dict[str, Total] = Field(min_length=1)
    by: Late = ""

    @field_validator("totals")
    @classmethod
    def _no_key(cls, totals: dict[str, Total]) -> dict[str, Total]:
        if "key" in totals:
            raise ValueError("A total cannot be called key, which names the group.")
        return totals


class Compute(Step):
    """Whatever an expression over `value` gives, or an object of such."""

    op: Literal["compute"]
    to: LateJSON


class JsonParse(Step):
    """The value of a JSON text, or of each text of a list."""

    op: Literal["json_parse"]


class JsonText(Step):
    """The value as JSON text."""

    op: Literal["json_text"]
    indent: int | None = Field(None, ge=0, le=8)


class Split(Step):
    """A text in parts. Without a separator: its lines."""

    op: Literal["split"]
    separator: str = ""


class JoinText(Step):
    """A list of texts and numbers as one text."""

    op: Literal["join_text"]
    separator: str = ""


class Extract(Step):
    """Every place of a text that a pattern fits: the text, or by their names what its groups hold."""

    op: Literal["extract"]
    pattern: str = Field(min_length=1, max_length=500)


AnyStep = Annotated[
    Map | Filter | Set | Sort | Group | Join | Flatten | Unique | Reverse | Take | Pick | Omit | Rename | Aggregate
    | Compute | JsonParse | JsonText | Split | JoinText | Extract,
    Field(discriminator="op"),
]  # fmt: skip
