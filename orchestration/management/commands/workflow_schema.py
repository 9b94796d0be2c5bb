"""Print the JSON Schema of the workflow format."""

from typing import Any

from django.core.management.base import BaseCommand

from orchestration.definition.published import json_schema, text_of


class Command(BaseCommand):
    help = "Print the JSON Schema of the format ensemble.workflow/1 (kept in docs/reference/workflow.schema.json)."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(text_of(json_schema()), ending="")
