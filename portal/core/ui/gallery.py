"""Invented data for the gallery of components."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import QueryDict
from django.utils import timezone

from portal.core.ui import statuses

ANSWER = """## Summary

The vendor asks for **three things** that our standard terms do not give:

1. Liability up to *twice* the yearly fee (clause 9.2)
2. Data kept in the EU, with proof each quarter
3. A right to audit with 5 days' notice

| Clause | Risk | Our position |
|---|:--:|---:|
| 9.2 | high | 1× yearly fee |
| 14.1 | low | accept |

> The audit right is usual in this industry.

Use `terms.eu/v4` as the base. See [the guide](https://example.com/guide). ![never shown](https://evil.example/leak.png)

```json
{"accept": false, "score": 0.82}
```
<script>alert("never run")</script>
"""

VALUE: dict[str, Any] = {
    "workflow": "rfp-response",
    "version": 3,
    "accepted": True,
    "due": None,
    "budget": {"usd": 5.0, "tokens": 500_000},
    "requirements": [
        {"id": "R1", "text": "Data at rest is encrypted", "covered": True},
        {"id": "R2", "text": "Answers within four hours on working days", "covered": False},
    ],
    "summary": "The offer covers eleven of thirteen requirements.\nTwo need a decision by a person first.",
    "attachments": [],
}

DIFF = """diff --git a/pricing.py b/pricing.py
--- a/pricing.py
+++ b/pricing.py
@@ -1,4 +1,4 @@
 def total(lines):
-    return sum(l.price for l in lines)
+    return sum(line.price * line.quantity for line in lines)
 # rounding happens at the edge
"""


class GalleryForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(help_text="People see this name in lists.")
    owner = forms.EmailField(required=False, label="Owner's mail")
    priority = forms.IntegerField(min_value=0, max_value=100, initial=50)
    model = forms.ChoiceField(choices=[("fast", "Fast"), ("quality", "Quality"), ("offline", "Offline")])
    document = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), help_text="Markdown or plain text.")
    due = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    verdict = forms.ChoiceField(
        choices=[("approve", "Approve"), ("reject", "Reject")], widget=forms.RadioSelect, required=False
    )
    notify = forms.BooleanField(required=False, label="Tell me when it is done")


def context(query: QueryDict) -> dict[str, Any]:
    """What templates/core/gallery.html shows; `query` is the address's, so that filters and pages work."""
    now = timezone.now()
    rows = [
        {
            "name": name,
            "sub": sub,
            "status": status,
            "at": now - timedelta(seconds=seconds),
            "seconds": seconds / 7,
            "usd": seconds / 40_000,
            "tokens": seconds * 13,
        }
        for name, sub, status, seconds in (
            ("RFP response", "Tender of Northwind, 84 pages", "running", 42),
            ("Code review", "ensemble/portal #412", "waiting", 640),
            ("Content moderation", "218 comments of Tuesday", "completed", 5_400),
            ("RFP response", "Tender of Contoso", "failed", 90_000),
            ("Invoice check", "March", "retrying", 260_000),
            ("Code review", "ensemble/portal #409", "cancelled", 1_900_000),
        )
    ]
    found = [row for row in rows if query.get("q", "").lower() in f"{row['name']} {row['sub']}".lower()]
    found = [row for row in found if query.get("status", row["status"]) == row["status"]]
    invalid = GalleryForm({"name": "", "owner": "not a mail", "priority": "400", "model": "fast", "document": "Text"})
    invalid.non_field_errors()
    return {
        "form": GalleryForm(auto_id="new_%s"),
        "invalid": invalid,
        "page": Paginator(found, 4).get_page(query.get("page")),
        "query": query,
        "states": list(statuses.LOOKS),
        "run_states": [(key, statuses.LOOKS[key].label) for key in ("running", "waiting", "completed", "failed")],
        "tones": ("neutral", "accent", "info", "success", "warning", "danger"),
        "markdown": ANSWER,
        "value": VALUE,
        "diff": DIFF,
        "timeline": [
            {
                "status": "succeeded",
                "title": "Analyse the tender",
                "note": "12 requirements found",
                "time": now - timedelta(minutes=9),
            },
            {
                "status": "retrying",
                "title": "Estimate the effort",
                "note": "Attempt 2 of 3",
                "time": now - timedelta(minutes=4),
            },
            {
                "status": "waiting",
                "title": "Legal review",
                "note": "Waits for Ada Lovelace",
                "time": now - timedelta(seconds=50),
            },
            {"status": "pending", "title": "Assemble the proposal", "note": "", "time": None},
        ],
        "started": now - timedelta(seconds=75),
    }
