"""How each state of a run, node run, agent or approval looks: a word, an icon and a tone. Never colour alone."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Look(NamedTuple):
    """Word, icon and tone; tones are the classes tone-* of components.css."""

    label: str | Promise
    icon: str
    tone: str


LOOKS: dict[str, Look] = {
    # runs and node runs
    "pending": Look(_("Pending"), "circle-dotted", "neutral"),
    "queued": Look(_("Queued"), "circle-dashed", "neutral"),
    "running": Look(_("Running"), "loader-2", "info"),
    "waiting": Look(_("Waiting"), "hourglass", "warning"),
    "paused": Look(_("Paused"), "player-pause", "neutral"),
    "retrying": Look(_("Retrying"), "rotate-clockwise", "warning"),
    "compensating": Look(_("Compensating"), "arrow-back-up", "accent"),
    "completed": Look(_("Completed"), "circle-check", "success"),
    "succeeded": Look(_("Succeeded"), "circle-check", "success"),
    "failed": Look(_("Failed"), "circle-x", "danger"),
    "cancelled": Look(_("Cancelled"), "ban", "neutral"),
    "skipped": Look(_("Skipped"), "player-skip-forward", "neutral"),
    # approvals
    "open": Look(_("Open"), "circle-dotted", "warning"),
    "claimed": Look(_("Claimed"), "user-check", "info"),
    "decided": Look(_("Decided"), "circle-check", "success"),
    "approved": Look(_("Approved"), "circle-check", "success"),
    "rejected": Look(_("Rejected"), "circle-x", "danger"),
    "expired": Look(_("Expired"), "alarm", "neutral"),
    "withdrawn": Look(_("Withdrawn"), "ban", "neutral"),
    # agents, workflows and versions
    "active": Look(_("Active"), "circle-check", "success"),
    "inactive": Look(_("Inactive"), "circle-minus", "neutral"),
    "online": Look(_("Online"), "plug-connected", "success"),
    "offline": Look(_("Offline"), "plug-x", "danger"),
    "degraded": Look(_("Degraded"), "alert-triangle", "warning"),
    "beta": Look(_("Beta"), "flask", "info"),
    "deprecated": Look(_("Deprecated"), "archive", "warning"),
    "retired": Look(_("Retired"), "archive", "neutral"),
    "draft": Look(_("Draft"), "pencil", "neutral"),
    "published": Look(_("Published"), "rosette-discount-check", "success"),
    "archived": Look(_("Archived"), "archive", "neutral"),
    "unknown": Look(_("Unknown"), "help-circle", "neutral"),
}


def look(status: str) -> Look:
    """Return the look of a state; a state this table does not know is shown by its own word."""
    return LOOKS.get(str(status).lower()) or Look(str(status).replace("_", " ").capitalize(), "point", "neutral")
