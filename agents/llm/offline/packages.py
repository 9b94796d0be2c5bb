"""Demands grouped by what they are about: work packages with hours, components, parts of an approach."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.llm.offline import advice, areas, labels
from agents.llm.offline import text as reading
from agents.llm.offline.material import Material
from agents.llm.offline.seed import Seed, seed_of


def by_area(material: Material) -> list[Seed]:
    """Demands grouped by what they are about: work packages, components, parts of an approach."""
    rows = [
        seed_of(row)
        for name, found in material.objects
        for row in found
        if re.search(r"requirement|demand|item|matrix|need", name)
    ]
    demands = (
        rows
        or material.requirements
        or [Seed(one.text, one.section, one.number) for one in reading.best(material.main, 8)]
    )
    groups: dict[str, list[Seed]] = {}
    for seed in demands:
        area = str(seed.known.get("category") or "") if seed.known else ""
        area = area if area in areas.AREAS else areas.area_of(seed.text, seed.section)
        groups.setdefault(area, []).append(seed)
    found = [_group(area, groups[area]) for area in sorted(groups, key=advice.ORDER.index)]
    return [*found, _management(found)] if _ESTIMATES.search(material.task.instructions) and len(found) > 1 else found


_ESTIMATES = re.compile(r"estimat\w* (?:software|hours|projects)|work packages", re.I)


def _management(groups: Sequence[Seed]) -> Seed:
    """Project management and acceptance, as a share of the other packages."""
    hours = 4.0 * round(sum(one.known["hours"] for one in groups) * advice.MANAGEMENT_SHARE / 4)
    name, share = "Project management and acceptance", f"{advice.MANAGEMENT_SHARE:.0%}"
    text = f"Steering, planning, reports, tests of acceptance and the start: {share} of the other packages."
    return Seed(
        text,
        name,
        "",
        {
            "name": name,
            "title": name,
            "hours": hours,
            "effort_hours": hours,
            "scope": text,
            "description": text,
            "approach": advice.APPROACH["Project and delivery"],
            "requirement_ids": [],
            "covers": [],
        },
    )


def _group(area: str, members: Sequence[Seed]) -> Seed:
    effort = sum(
        advice.hours(one.text, area, str(one.known.get("priority") or labels.priority(one.text))) for one in members
    )
    ids = [str(one.number or one.known.get("id")) for one in members if one.number or one.known.get("id")]
    # The weightiest demands speak for the group, without their repetitive beginnings.
    lead = [reading.shorten(one.text, 160) for one in members[:4]]
    what = f"{len(members)} requirement{'s' if len(members) != 1 else ''}" + (
        f" ({', '.join(ids[:12])})" if ids else ""
    )
    return Seed(
        " ".join(lead), area, "",
        {
            "name": area, "title": area, "area": area, "category": area, "component": area, "hours": effort, "effort_hours": effort, "effort": effort,
            "estimated_hours": effort, "days": round(effort / 8, 1), "requirements": ids or lead, "requirement_ids": ids, "description": f"{what}: {' '.join(lead)}",
            "scope": what, "approach": advice.APPROACH[area], "how": advice.APPROACH[area], "responsibility": f"{what}.", "basis": what,
            "assumption": advice.RULE_OF_THUMB, "responsibilities": lead, "covers": ids or lead,
        },
    )  # fmt: skip
