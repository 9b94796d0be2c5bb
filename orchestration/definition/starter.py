"""What the page of a new workflow begins with: small, valid in every organisation, and it shows how things hang
together.
"""

from __future__ import annotations

from typing import Any


def definition() -> dict[str, Any]:
    return {
        "format": "ensemble.workflow/1",
        "name": "New workflow",
        "description": "",
        "inputs": {
            "type": "object",
            "properties": {
                "question": {"type": "string", "title": "Question", "description": "What is to be decided."}
            },
            "required": ["question"],
        },
        "outputs": {"decision": "{{ review.outputs.label }}", "comment": "{{ review.outputs.comment }}"},
        "nodes": [
            {
                "id": "review",
                "type": "approval",
                "name": "Ask a person",
                "settings": {"message": "{{ inputs.question }}"},
            }
        ],
        "edges": [],
    }
