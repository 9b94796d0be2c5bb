"""What experience says to typical demands and clauses: a short list of patterns with a plain remark each.

This is the only knowledge the offline model adds to a text, and it is general: it never states facts of the case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.llm.offline import labels


@dataclass(frozen=True, slots=True)
class Remark:
    pattern: re.Pattern[str]
    title: str
    severity: str
    advice: str


def _remarks(*rows: tuple[str, str, str, str]) -> tuple[Remark, ...]:
    return tuple(Remark(re.compile(pattern, re.I), title, severity, text) for title, severity, pattern, text in rows)


RISKS = _remarks(
    ("Unlimited liability", "critical", r"unlimited(?:ly)? (?:liab\w+|responsib\w+)|liab\w+ (?:shall|will|is|are)[^.]{0,40}(?:unlimited|not (?:be )?limited)|without (?:any )?limit\w*[^.]{0,40}liab|liab\w+[^.]{0,60}without limit|liable without limit", "Ask for a cap, such as the value of the contract, and exclude indirect damage."),
    ("Penalty without a cap", "critical", r"(?:penalt\w+|liquidated damages).{0,160}without (?:an? |any )?(?:upper )?(?:limit|cap|ceiling)", "Ask for a cap (usually 5 to 10 per cent of the price) and that delays of the client do not count."),
    ("Liability", "medium", r"\bliab(?:le|ility)\b[^.]{0,120}\b(?:limit\w*|cap\w*|times|per cent|%|up to|maximum)", "Check the cap against the insurance that is in place."),
    ("Penalties for delay", "high", r"penalt\w+|liquidated damages|delay damages", "Ask for an overall cap and a grace period, and that delays of the client do not count."),
    ("Indemnity", "high", r"indemnif\w+|hold harmless", "Limit it to proven claims of third parties, with notice and control of the defence."),
    ("Ownership of the work", "medium", r"intellectual property|ownership of (?:all|the)|source code[^.]{0,50}(?:property|owned|belong|transfer|publish)|all rights (?:to|in)|rights[^.]{0,60}pass to|assign\w* all rights|exclusive rights", "Keep existing components and know-how; grant a licence to those and transfer only what is made for the client."),
    ("Termination at will", "high", r"terminat\w+[^.]{0,60}(?:at any time|for convenience|without cause|without (?:giving )?reason)", "Ask for notice and payment of the work done and of costs that cannot be cancelled."),
    ("Termination", "medium", r"\bterminat(?:e|ion)\b", "Check notice, cure period and what is paid at the end."),
    ("Fixed price", "medium", r"fixed[- ]price|lump sum|no additional (?:costs|charges|payments)|all[- ]inclusive price|price increases? (?:are|is) excluded", "Fix the scope in writing, agree on a change procedure with rates, and plan a contingency."),
    ("Late payment", "medium", r"(?:payment|paid|invoice\w*)[^.]{0,80}(?:60|90|120) (?:\w+ )?days|(?:60|90|120) days[^.]{0,60}(?:payment|invoice)", "Ask for 30 days and payments at milestones."),
    ("Payment after acceptance", "medium", r"(?:paid|payment|payable)[^.]{0,110}(?:upon|on|after|only)[^.]{0,30}acceptance|retention of \d+|retain\w* \d+ ?(?:%|per cent)", "Agree on acceptance criteria and that silence after a period counts as acceptance."),
    ("Processing of personal data", "high", r"personal data|gdpr|data protection|data processing agreement", "Have the data processing agreement and the security measures checked; name sub-processors and places."),
    ("Data must stay in a region", "medium", r"(?:data|hosted|hosting|stored|servers?)[^.]{0,80}(?:within|inside|in) the (?:european union|eu|eea|country|united states)|outside (?:of )?the (?:eu|eea|european union)", "Confirm with the hosting partner where data, backups and support are."),
    ("High availability promised", "high", r"99[.,]\d+ ?(?:%|per cent)|availab\w+ of (?:at least )?\d", "Check that hosting and on-call duty can hold it; define how it is measured and what maintenance windows count."),
    ("Short response times", "medium", r"within (?:one|two|three|four|\d{1,2}) (?:\(\d+\) )?(?:hour|minute|working hour)s?", "Check that the support team can hold them, outside office hours as well."),
    ("Insurance proof", "low", r"insurance", "Get the insurer's certificate early."),
    ("Certificates asked for", "medium", r"iso[ /]?(?:iec )?\d{4,5}|soc ?2|certifi(?:ed|cat\w+)|accredit", "Have the certificate or an equivalent at hand; a missing one may exclude the bid."),
    ("Exclusion for missing documents", "high", r"(?:will|shall|may) be (?:excluded|rejected|disqualified|disregarded)|non[- ]compliant (?:bids|proposals|tenders)|late (?:bids|proposals|tenders|submissions)", "Keep a checklist of all formal demands and submit a day early."),
    ("Tight schedule", "medium", r"(?:go[- ]live|live|operational|completed|delivered|implemented|in production)[^.]{0,40}(?:no later than|at the latest|by|before) (?:\d{1,2} \w+ \d{4}|the end)", "Check the date against the plan and the client's own duties."),
    ("Migration of existing data", "medium", r"migrat\w+|legacy (?:system|data)", "Ask for samples early; agree who cleans the data, and plan a rehearsal."),
    ("Dependence on third parties", "medium", r"third[- ]part(?:y|ies)|existing (?:system|interface|provider)|provided by (?:the )?(?:client|city|authority|customer)", "Write the client's and third parties' duties with dates into the contract."),
    ("Named staff", "low", r"key (?:personnel|staff|experts)|named (?:staff|persons|experts)|replac\w+ of (?:staff|personnel|team)", "Agree on a replacement procedure."),
    ("Law and courts", "low", r"governing law|governed by|jurisdiction|courts? of", "Have the law and place checked, with arbitration as alternative."),
    ("Audit rights", "low", r"right to audit|audits? (?:the|of the) (?:contractor|supplier|provider)|inspection of", "Ask for notice, confidentiality and once a year."),
    ("Confidentiality", "low", r"confidential\w*|non-disclosure", "Check duration, exceptions and penalties."),
    ("Change of scope", "medium", r"may (?:change|extend|reduce|modify) the (?:scope|services|requirements)|reserves the right", "Ask for a change procedure with effect on price and time."),
    ("Warranty", "medium", r"warrant(?:y|ies|s)\b|guarantee period|defects? (?:period|liability)", "Plan the effort, and define what counts as a defect."),
)  # fmt: skip

# What to do about a matter, by area; used where a field asks for an approach and the given texts say nothing.
APPROACH = {
    "Security and data protection": "Threat model at the start, roles with least privilege, encryption in transit and at rest, logged access, an independent penetration test before go-live.",
    "Accessibility and usability": "Accessible components from the first screen, automatic checks in the build, tests with users and assistive technology before each release.",
    "Integration and interfaces": "One documented adapter for each outside system with contract tests, time limits, retries and monitoring; a stub until the real system can be reached.",
    "Data and migration": "Profile the existing data, agree on mapping rules, rehearse the migration twice with reconciliation reports, then the final run with a way back.",
    "Performance and availability": "Targets written as tests, load tests on a copy of production, no single point of failure, monitored service levels, rehearsed recovery.",
    "Hosting and operations": "Infrastructure as code, separate environments, automated deployment with a way back, monitoring with alerts, an on-call plan and runbooks.",
    "Training and documentation": "Guides written along with the features, training for each role, recorded sessions, hand-over to the client's team.",
    "Project and delivery": "Delivery in short steps with a working result each, a steering meeting every two weeks, an open list of risks and decisions, acceptance criteria for each milestone.",
    "Legal and contract": "Legal review of the named clauses, a list of deviations, clarification questions before the deadline.",
    "Commercial": "A transparent price sheet by work package, assumptions in writing, agreed rates for changes.",
    "Functionality": "Process workshops, clickable prototype, build in order of priority, acceptance by the users of each process.",
    "General": "Clarify with the client, then plan it as a separate work package.",
}  # fmt: skip

# Hours for a demand, by area and weight: a rule of thumb, always shown as such.
HOURS = {
    "Functionality": 120,
    "Integration and interfaces": 160,
    "Data and migration": 200,
    "Security and data protection": 80,
    "Accessibility and usability": 60,
    "Performance and availability": 80,
    "Hosting and operations": 60,
    "Training and documentation": 60,
    "Project and delivery": 40,
    "Commercial": 4,
    "Legal and contract": 8,
    "General": 40,
}
ORDER = tuple(HOURS)
MANAGEMENT_SHARE = 0.15
WEIGHT = {"must": 1.0, "should": 0.75, "could": 0.5}
RULE_OF_THUMB = (
    "Hours are a rule of thumb by area and priority (for example 120 hours for a functional must, 160 for an interface), "
    "with 15 per cent for project management and acceptance; check them with the team."
)


def risk(text: str) -> Remark | None:
    """The weightiest remark that fits."""
    fitting = [remark for remark in RISKS if remark.pattern.search(text)]
    return min(fitting, key=lambda remark: labels.SEVERITY.index(remark.severity)) if fitting else None


def hours(text: str, area: str, priority: str) -> float:
    """Rounded to four hours; long demands hold more than one."""
    length = 1.0 + min(1.0, max(0, len(text.split()) - 25) / 40)
    return max(4.0, 4.0 * round(HOURS.get(area, 40) * WEIGHT.get(priority, 1.0) * length / 4))
