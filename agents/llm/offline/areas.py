"""What a demand is about: subject areas by their words."""

from __future__ import annotations

import re

AREAS: dict[str, str] = {
    "Legal and contract": r"\bcontract(?:s|ual)?\b|liabilit|indemnif|warrant|terminat|penalt|liquidated|governing law|jurisdiction|insurance|intellectual property|ownership of|clause|confidential|breach of|damages|rights to",
    "Security and data protection": r"secur|encrypt|authenticat|authoris|authoriz|access control|gdpr|privacy|personal data|data protection|audit log|audit trail|vulnerabilit|penetration|iso 27001|backup|two-factor|multi-factor|single sign|sso",
    "Accessibility and usability": r"accessib|wcag|usab|mobile|responsive|language|multilingual|translation|user experience|screen reader|plain language",
    "Integration and interfaces": r"integrat|interfac|\bapi\b|rest\b|import|export|connector|legacy|synchron|exchang|entra|in both directions|third-party|webhook|payment provider|single sign-on",
    "Data and migration": r"migrat|migrated|\bcases\b.*documents|data model|database|records|archiv|retention|data quality|historical|reporting|statistic|dashboard|report\b",
    "Performance and availability": r"performan|availab|uptime|response time|latency|\bload|concurrent|scal|throughput|recovery|disaster|sla\b|service level",
    "Hosting and operations": r"host|cloud|data cent|monitor|deploy|maintenance|\bsupport\b|helpdesk|help desk|incident|operation|release|patch",
    "Training and documentation": r"train|documentation|manual|handover|knowledge transfer|workshop|user guide|e-learning",
    "Project and delivery": r"project plan|milestone|timeline|schedule|deliver|phase|acceptance|go-live|go live|kick-off|project manager|progress report|steering|bidder|tender|proposal|reference|team|staff|curriculum|submission|submit|open source|source code|repository",
    "Commercial": r"price|pricing|cost|budget|invoice|payment|fee\b|fixed-price|licen[cs]e|hourly|discount|tax|vat\b",
    "Functionality": r"user|citizen|form|workflow|case|search|notif|appointment|payment|upload|application|portal|function|feature|allow|display|register",
}


_AREA_PATTERNS = {area_of: re.compile(rf"(?:{pattern})", re.I) for area_of, pattern in AREAS.items()}


def area_of(text: str, section: str = "") -> str:
    """What a demand is about. The words decide; the section's heading counts as well, and settles a draw."""
    scores = {
        name: 2.0 * len({match[0].lower() for match in pattern.finditer(text)})
        + 1.5 * len({match[0].lower() for match in pattern.finditer(section)})
        for name, pattern in _AREA_PATTERNS.items()
    }
    scores["Functionality"] *= 0.45  # its words are everywhere
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0 else "General"
