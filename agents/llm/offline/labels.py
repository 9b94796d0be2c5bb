"""Classifying by word lists: severity, priority, mood, verdicts; and by any given labels.

A label that is in none of the lists is matched by the words of its own name and of its description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.llm.offline.lexicon import NEGATION, NEGATIVE, POSITIVE
from agents.llm.offline.text import stem, words


@dataclass(frozen=True, slots=True)
class Verdict:
    label: str
    score: float
    """0 to 1: how sure."""
    evidence: tuple[str, ...] = ()


SEVERITY = ("critical", "high", "medium", "low", "info")


_SEVERITY_WORDS = {
    "critical": r"critical|severe|catastroph\w+|outage|down for|data loss|breach(?:ed)?|production (?:is )?down|unlimited liability|exploit\w*|emergency|terminat\w+ without|life[- ]threatening",
    "high": r"high|urgent|serious|major|penalt\w+|liquidated damages|liabilit\w+|indemnif\w+|terminat\w+|security|cannot|failed|failure|blocked|exclusive|mandatory|disqualif\w+|non[- ]complian\w+|overdue|legal action",
    "medium": r"medium|moderate|should|delay\w*|late|slow\w*|dependen\w+|third part\w+|depends|unclear|may change|change request|warranty|retention|audit|limited|workaround",
    "low": r"low|minor|cosmetic|typo|nice to have|could|optional|preferred|small",
}


PRIORITY = ("must", "should", "could")


_MUST = re.compile(
    r"\b(?:must|shall|is required|are required|mandatory|has to|have to|needs? to|obliged|is to be|are to be|will be required)\b(?! not be required)",
    re.I,
)


_SHOULD = re.compile(
    r"\b(?:should|ought|expected to|recommended|is desirable|desirable|preferably|is preferred|aim to)\b", re.I
)


_COULD = re.compile(
    r"\b(?:may|could|optional(?:ly)?|nice to have|would be (?:welcome|an advantage)|is welcome|if possible)\b", re.I
)


def severity(text: str) -> str:
    """critical, high, medium or low, by the strongest word that is there; low when none is."""
    for label in ("critical", "high", "medium", "low"):
        if re.search(rf"\b(?:{_SEVERITY_WORDS[label]})\b", text, re.I):
            return label
    return "low"


def priority(text: str) -> str:
    """must, should or could, as RFC 2119 and MoSCoW use the words."""
    if _MUST.search(text):
        return "must"
    if _SHOULD.search(text):
        return "should"
    return "could" if _COULD.search(text) else "must"


def demands(text: str) -> bool:
    """Whether a sentence asks for something."""
    return bool(_MUST.search(text) or _SHOULD.search(text) or _COULD.search(text))


def sentiment(text: str) -> Verdict:
    """positive, negative, neutral or mixed, with a score from 0 to 1; a negation within three words turns a word round."""
    found = re.findall(r"[a-z']+", text.lower())
    up, down, evidence = 0, 0, list[str]()
    for index, word in enumerate(found):
        if word not in POSITIVE and word not in NEGATIVE:
            continue
        turned = bool(NEGATION & set(found[max(0, index - 3) : index]))
        good = (word in POSITIVE) != turned
        up, down = up + good, down + (not good)
        evidence.append(f"not {word}" if turned else word)
    total = up + down
    if not total:
        return Verdict("neutral", 0.5)
    label = "positive" if up > 1.5 * down else "negative" if down > 1.5 * up else "mixed"
    return Verdict(label, round(0.5 + 0.5 * abs(up - down) / (total + 1), 2), tuple(dict.fromkeys(evidence))[:6])


_SYNONYMS = {
    "billing": "invoice payment charge charged refund bill price subscription card paid fee",
    "technical": "error bug crash broken login password install not working slow app website",
    "account": "account login password email profile username sign access locked",
    "shipping": "delivery deliver shipping parcel package arrived courier tracking shipment late",
    "delivery": "delivery deliver shipping parcel package arrived courier tracking shipment late",
    "complaint": "complaint disappointed unacceptable angry refund terrible worst",
    "cancellation": "cancel cancellation terminate unsubscribe close stop",
    "sales": "buy price quote demo offer purchase interested pricing plan upgrade",
    "question": "how what where when which can could question wonder",
    "feature_request": "feature wish would like add support suggestion request improve",
    "bug": "bug error crash broken fails wrong exception stack",
    "praise": "thanks thank great love excellent happy perfect",
    "legal": "contract legal law liability clause lawyer court gdpr compliance",
    "finance": "invoice budget cost revenue profit payment tax accounting",
    "engineering": "code software bug api deploy database server build",
    "security": "security vulnerability password breach phishing malware attack",
    "marketing": "campaign brand audience social advertising content launch",
    "support": "help problem issue ticket customer support",
    "operations": "process warehouse logistics supply delivery schedule capacity",
    "hr": "employee hiring salary vacation leave onboarding contract staff",
    "data": "data dashboard metric report query statistics dataset",
}


def by_labels(text: str, labels: Sequence[str], descriptions: Mapping[str, str] | None = None) -> Verdict:
    """The label whose words are in the text most. The last resort is a label like "other", else the first."""
    bag: dict[str, int] = {}
    for word in words(text):
        bag[word] = bag.get(word, 0) + 1
    best, evidence, score = "", list[str](), 0.0
    for label in labels:
        name = label.lower().replace("-", "_").replace(" ", "_")
        own = {stem(word) for word in re.split(r"[_\W]+", name) if word}
        near = {stem(word) for word in _SYNONYMS.get(name, "").split()} | set(
            words((descriptions or {}).get(label, ""))
        )
        hits = [word for word in own if word in bag]
        others = [word for word in near - own if word in bag]
        points = 2.0 * sum(bag[word] for word in hits) + sum(min(2, bag[word]) for word in others)
        if points > score:
            best, evidence, score = label, [*hits, *others], points
    if best:
        return Verdict(best, round(min(0.95, 0.4 + 0.1 * score), 2), tuple(evidence[:6]))
    fallback = next(
        (
            label
            for label in labels
            if label.lower() in {"other", "general", "unknown", "none", "unclear", "neutral", "n/a"}
        ),
        "",
    )
    return Verdict(fallback or (labels[0] if labels else ""), 0.2)


@dataclass(frozen=True, slots=True)
class Scale:
    """The labels of a verdict, put on the line good - doubtful - bad."""

    good: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    rest: tuple[str, ...] = field(default=())

    def pick(self, badness: int) -> str | None:
        """badness 0 good, 1 doubtful, 2 bad; the nearest there is."""
        order = {
            0: (self.good, self.doubtful, self.bad),
            1: (self.doubtful, self.bad, self.good),
            2: (self.bad, self.doubtful, self.good),
        }
        return next((group[0] for group in order[badness] if group), None)


_GOOD = re.compile(
    r"^(?:approved?|accept(?:ed|able)?|pass(?:ed)?|ok|allow(?:ed)?|keep|publish|go|bid|yes|healthy|on_track|compliant|low_risk|green|resolved?|sign|proceed|merge|ready|safe|clean)$",
    re.I,
)


_DOUBT = re.compile(
    r"^(?:review|needs?_(?:work|review|changes|information)|request_changes|changes_requested|revise|conditional(?:ly)?\w*|comment|escalate|unsure|doubtful|uncertain|maybe|at_risk|partial(?:ly)?\w*|bid_with_\w+|approve_with_\w+|negotiate|warn(?:ing)?|amber|yellow|hold|flag(?:ged)?|clarify)$",
    re.I,
)


_BAD = re.compile(
    r"^(?:reject(?:ed)?|block(?:ed|ing)?|fail(?:ed)?|remove(?:d)?|no_?go|no_bid|decline(?:d)?|deny|denied|delete|no|critical|off_track|non_compliant|high_risk|red|do_not_\w+|stop|ban|hide)$",
    re.I,
)


def scale(labels: Sequence[str]) -> Scale | None:
    """None unless the labels are those of a verdict (a good and a bad or doubtful one among them)."""
    names = {label: label.strip().lower().replace("-", "_").replace(" ", "_") for label in labels}
    good = tuple(label for label, name in names.items() if _GOOD.match(name))
    doubtful = tuple(label for label, name in names.items() if _DOUBT.match(name))
    bad = tuple(label for label, name in names.items() if _BAD.match(name))
    if not good or not (doubtful or bad):
        return None
    return Scale(good, doubtful, bad)
