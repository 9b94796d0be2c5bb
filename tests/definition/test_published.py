"""What is published is what is checked: the JSON Schema in the docs, and the reference text."""

from pathlib import Path

from jsonschema import Draft202012Validator

from orchestration.definition.ids import ROOTS
from orchestration.definition.problems import Code
from orchestration.definition.published import json_schema, text_of
from orchestration.definition.schema import Edge, Node, WorkflowDefinition
from orchestration.expressions.functions.library import LIBRARY, MACROS, STANDARD
from orchestration.nodes.base import node_types

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_schema_in_the_docs_is_the_schema():
    kept = (REFERENCE / "workflow.schema.json").read_text("utf-8")
    assert kept == text_of(json_schema()), "manage.py workflow_schema > docs/reference/workflow.schema.json"


def test_the_schema_is_one():
    Draft202012Validator.check_schema(json_schema())


def test_the_reference_names_everything_there_is():
    text = (REFERENCE / "definition.md").read_text("utf-8")
    names = {
        *WorkflowDefinition.model_fields, *Node.model_fields, *Edge.model_fields, *node_types(), *ROOTS,
        *(function.name for function in LIBRARY), *MACROS, *(STANDARD - {"none", "of", "or", "value"}),
        *(code.value for code in Code),
    }  # fmt: skip
    missing = {name for name in names if f"`{name}" not in text and f".{name}(" not in text}
    assert missing == set()


def test_the_reference_names_every_setting():
    text = (REFERENCE / "definition.md").read_text("utf-8")
    for kind, node_type in node_types().items():
        section = text.split(f"### `{kind}`")[1].split("\n### ")[0]
        for name in (field.alias or name for name, field in node_type.Settings.model_fields.items()):
            assert f"`{name}`" in section, (kind, name)
