"""Small filters of the pages of runs: {% load runs %}."""

from datetime import timedelta
from typing import Any

from django import template

from orchestration.models import NodeRun, Run
from portal.core import clock

register = template.Library()


@register.filter
def took(run: Run | NodeRun) -> timedelta | None:
    """From the start to the end, or to now while it is under way."""
    return (run.ended_at or clock.now()) - run.started_at if run.started_at else None


@register.filter(name="is")
def equals(value: Any, other: Any) -> bool:
    """For arguments of tags, where a comparison cannot be written."""
    return bool(value == other)
