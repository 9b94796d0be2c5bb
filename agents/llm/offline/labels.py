"""Classifying by word lists: moderation, severity, priority, sentiment, subject area, intent; and by any given labels.

A label that is in none of the lists is matched by the words of its own name and of its description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.llm.offline.text import stem, words


@dataclass(frozen=True, slots=True)
class Verdict:
    label: str
    score: float
    """0 to 1: how sure."""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    """A pattern and how strongly it speaks for its label (1: enough by itself)."""

    pattern: re.Pattern[str]
    weight: float
    why: str


def _signals(*rows: tuple[float, str, str]) -> tuple[Signal, ...]:
    return tuple(Signal(re.compile(pattern, re.I), weight, why) for weight, why, pattern in rows)


# -- moderation -------------------------------------------------------------------------------------------------------

_PERSON = r"(?:you(?:'re| are)?|u r|he|she|they|the author|this guy|people like you)"
_INSULT = (
    r"(?:idiots?|morons?|imbeciles?|stupid|dumb|dumbass|retard(?:ed)?|losers?|pathetic|worthless|trash|garbage|scum|clowns?|"
    r"disgusting|brainless|cretins?|pigs?|vermin|subhuman|ugly|incompetent)"
)
MODERATION: dict[str, tuple[Signal, ...]] = {
    "threat": _signals(
        (1.0, "threatens harm", r"\b(?:i(?:'ll| will| am going to|'m gonna)|we(?:'ll| will)|someone (?:should|ought to))\s+(?:\w+\s+){0,3}(?:kill|hurt|beat|stab|shoot|burn|find|break|destroy|punch|smash)\b"),
        (1.0, "threatens harm", r"\b(?:watch your back|you(?:'ll| will) (?:regret|pay for) (?:this|it)|i know where you (?:live|work)|you(?:'re| are) dead|deserves? to (?:die|be (?:shot|beaten|hurt)))\b"),
        (0.6, "violent wish", r"\b(?:hope (?:you|he|she|they) (?:die|suffer|burn|choke)|go die|kill yourself|kys)\b"),
    ),
    "harassment": _signals(
        (0.9, "insults a person", rf"\b{_PERSON}\b[^.!?]{{0,40}}\b{_INSULT}\b"),
        (0.9, "insults a person", rf"\b(?:you|such an?|what an?|bunch of|complete|total|absolute|utter)\s+(?:\w+\s+)?{_INSULT}\b"),
        (0.5, "attacks the person", r"\b(?:shut up|nobody (?:likes|wants|asked) you|get lost|you make me sick|stfu|drop dead)\b"),
        (0.5, "abusive language", r"\b(?:f+u+c+k(?:ing|er|ed)?|f\*+k?|sh[i1*]t(?:ty)?|bitch|bastard|asshole|a\*\*hole)\b"),
        (0.2, "coarse language", r"\b(?:crap|damn|wtf|bloody)\b"),
        (0.35, "harsh words", rf"\b{_INSULT}\b"),
    ),
    "hate": _signals(
        (1.0, "attacks a group", r"\b(?:all|those|these|fucking|damn|filthy|dirty)\s+(?:immigrants?|foreigners?|refugees?|muslims?|jews?|christians?|blacks?|whites?|asians?|gays?|women|men|gypsies|mexicans?|arabs?)\b[^.!?]{0,60}\b(?:are|should|must|need to|belong|go|out|deserve|ruin|steal)\b"),
        (1.0, "attacks a group", r"\b(?:immigrants?|foreigners?|refugees?|muslims?|jews?|blacks?|gays?|women)\s+(?:are|should be|must be|do not belong|don't belong|ruin|steal|have no place)\b[^.!?]{0,50}\b(?:vermin|animals?|inferior|criminals?|deported|banned|gone|here|parasites?|scum|cockroaches|subhuman|jobs)\b"),
        (0.9, "attacks a group", r"\bgo back to (?:your|their) (?:own )?countr(?:y|ies)\b"),
        (0.8, "attacks a group", r"\b(?:master race|white power|ethnic cleansing|gas the|subhumans?|great replacement)\b"),
        (0.45, "generalises about a group", r"\b(?:those|these) people\b[^.!?]{0,60}\b(?:always|never|all|should|ruin)\b"),
    ),
    "sexual": _signals(
        (0.9, "sexual content", r"\b(?:nudes?|porn(?:o|ography)?|xxx|onlyfans|escort service|hot singles|sexy pics|horny|cam ?girls?)\b"),
    ),
    "self_harm": _signals(
        (1.0, "speaks of harming oneself", r"\b(?:(?:want|going|plan(?:ning)?|thinking about|ready) to (?:die|end it all|kill myself|hurt myself|end my life)|kill myself|suicid(?:e|al)|self[- ]harm|no reason (?:left )?to live|can'?t go on (?:any ?more|any longer|like this)|better off without me)\b"),
    ),
    "spam": _signals(
        (0.3, "advertises with a link", r"(?:https?://|www\.|\bbit\.ly/|\bt\.me/)\S+"),
        (0.7, "advertising phrase", r"\b(?:buy now|click (?:here|the link|my profile)|limited (?:time )?offer|act now|order now|100% (?:free|guaranteed)|free (?:money|gift ?cards?|iphone|followers|trial)|earn (?:\$|€|£)?\d[\d,]*(?:\s*(?:a|per) (?:day|week|month))?|make (?:\$|€|£)?\d[\d,]* (?:a|per) (?:day|week|month)|work from home|make money (?:fast|online)|cheap (?:followers|viagra|watches|replicas?)|promo ?code|use (?:my )?code \w+|dm me|whats ?app me|discount code|casino|crypto (?:giveaway|signals?|investment)|double your (?:money|bitcoin)|lose weight fast|miracle cure|best (?:price|deal)s? (?:on|at)|replica watches|seo services?|followers for)\b"),
        (0.4, "promotes itself", r"\b(?:check (?:out )?my|visit my|follow my|subscribe to my|see my) (?:channel|profile|page|store|shop|blog|site|video)s?\b"),
        (0.3, "shouting", r"(?:\b[A-Z]{4,}\b[^a-z]*){4,}"),
        (0.25, "many exclamation marks", r"[!$]{3,}"),
    ),
    "personal_data": _signals(
        (0.9, "e-mail address", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
        (0.9, "telephone number", r"(?<![\w.,-])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,4}\d{2,4}|0\d{2,4}[ /.-]\d{3,4}[ .-]?\d{2,4}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?![\w-])"),
        (1.0, "bank account (IBAN)", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
        (1.0, "card number", r"\b(?:\d{4}[ -]){3}\d{4}\b"),
        (0.9, "social security number", r"\b\d{3}-\d{2}-\d{4}\b|\b(?:passport|social security|insurance) (?:no\.?|number)\b"),
        (0.8, "home address", r"\b(?:lives?|living|home|address)\b[^.!?\n]{0,40}\b\d{1,4}[a-z]?,? ?(?:[A-Z][a-z]+ ){0,3}(?:street|st\.?|road|rd\.?|avenue|ave\.?|lane|drive)\b|\b(?:lives? at|home address|his address|her address)\b[^.!?\n]{0,20}\d+\s+[A-Z][a-z]+|\b\d{1,4}\s+(?:[A-Z][a-z]+\s){1,2}(?:Street|Road|Avenue|Lane|Drive)\b"),
    ),
    "misinformation": _signals(
        (0.55, "unproven claim stated as fact", r"\b(?:they don'?t want you to know|wake up,? (?:people|sheeple)|proven hoax|big pharma|plandemic|5g (?:causes|spreads)|vaccines? (?:cause|contain)s? (?:autism|microchips?)|cures? cancer|the media is hiding|do your own research|mind control)\b"),
    ),
}  # fmt: skip
_MODERATION_NAMES = {
    "threat": "threat threats violence violent violence_threat threatening",
    "harassment": "harassment insult insults abuse abusive toxic toxicity bullying profanity offensive",
    "hate": "hate hate_speech racism discrimination hateful",
    "sexual": "sexual sexual_content adult nsfw nudity",
    "self_harm": "self_harm suicide selfharm",
    "spam": "spam advertising advertisement scam promotion commercial",
    "personal_data": "personal_data pii privacy personal_information doxxing private",
    "misinformation": "misinformation fake_news false_claims disinformation conspiracy",
}
_OK_NAMES = frozenset(
    ["ok", "fine", "acceptable", "none", "clean", "safe", "allowed", "allow", "neutral", "harmless", "legitimate", "no_violation", "benign", "normal"]
)
# Words that soften: quoting, reporting, self-irony, fiction. They make a finding doubtful, they do not undo it.
_SOFTENERS = re.compile(
    r"\b(?:lol|haha\w*|just kidding|jk|no offen[cs]e|i quote|quote:|he said|she said|called me|they said|in the (?:film|movie|book|game|show)|"
    r"joke|joking|sarcasm|/s|ironically|so-called)\b|[😂🤣😉😄]",
    re.I,
)
_OFFICIAL = re.compile(r"\b(?:support|info|contact|help|press|service|sales|office|noreply|hello|feedback)@", re.I)


def moderation(text: str) -> list[Verdict]:
    """Every category that speaks up, the strongest first; empty when nothing does.

    Scores between 0.35 and 0.75 are doubtful: a person should look.
    """
    found = []
    for category, signals in MODERATION.items():
        total, evidence = 0.0, list[str]()
        for signal in signals:
            match = signal.pattern.search(text)
            # Shouting is told by capital letters, which the other patterns ignore.
            if match and signal.why == "shouting" and not _shouts(text):
                continue
            if match:
                # Several different phrases of one kind weigh more than one.
                kinds = len({found[0].lower() for found in signal.pattern.finditer(text)})
                total += signal.weight * (1 + 0.4 * min(3, kinds - 1)) * (1 - min(1.0, total) * 0.5)
                evidence.append(f"{signal.why}: “{_snippet(match)}”" if _snippet(match) else signal.why)
        if category == "personal_data" and total and _OFFICIAL.search(text):
            total *= 0.25
        if total and category != "personal_data" and _SOFTENERS.search(text):
            total *= 0.6
            evidence.append("may be a joke, a quotation or a report of it")
        if total >= 0.25:
            found.append(Verdict(category, round(min(0.98, total), 2), tuple(dict.fromkeys(evidence))))
    return sorted(found, key=lambda verdict: (-verdict.score, verdict.label))


def _shouts(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    return len(letters) > 20 and sum(letter.isupper() for letter in letters) / len(letters) > 0.6


def _snippet(match: re.Match[str]) -> str:
    text = re.sub(r"\s+", " ", match[0]).strip()
    return text if len(text) <= 60 else f"{text[:57]}…"


def moderation_label(label: str) -> str | None:
    """Which of our categories a label of somebody's schema means; "ok" for the harmless one; None if none."""
    name = label.lower().strip().replace(" ", "_").replace("-", "_")
    if name in _OK_NAMES:
        return "ok"
    for category, names in _MODERATION_NAMES.items():
        if name == category or name in names.split():
            return category
    return None


# -- severity, priority, sentiment ------------------------------------------------------------------------------------

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

_POSITIVE = frozenset(
    ["good", "great", "excellent", "love", "loved", "happy", "thank", "thanks", "perfect", "amazing", "helpful", "nice", "wonderful", "fantastic", "best", "pleased", "glad", "easy", "fast", "friendly", "recommend", "impressed", "improved", "improvement", "success", "successful", "growth", "grew", "increase", "increased", "profit", "gain", "appreciate", "reliable", "smooth", "brilliant", "well", "works", "resolved"]
)
_NEGATIVE = frozenset(
    ["bad", "terrible", "awful", "hate", "hated", "angry", "broken", "disappointed", "disappointing", "worst", "slow", "useless", "poor", "horrible", "annoying", "frustrated", "frustrating", "unacceptable", "refund", "complaint", "complain", "never", "failed", "fails", "fail", "failure", "problem", "issue", "wrong", "missing", "late", "delay", "delayed", "loss", "decline", "declined", "decrease", "decreased", "rude", "unhappy", "cancel", "bug", "crash", "crashed", "error", "expensive", "confusing"]
)
_NEGATION = frozenset(["not", "no", "never", "don't", "doesn't", "didn't", "isn't", "wasn't", "hardly", "without", "cannot", "can't", "won't"])


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
        if word not in _POSITIVE and word not in _NEGATIVE:
            continue
        turned = bool(_NEGATION & set(found[max(0, index - 3) : index]))
        good = (word in _POSITIVE) != turned
        up, down = up + good, down + (not good)
        evidence.append(f"not {word}" if turned else word)
    total = up + down
    if not total:
        return Verdict("neutral", 0.5)
    label = "positive" if up > 1.5 * down else "negative" if down > 1.5 * up else "mixed"
    return Verdict(label, round(0.5 + 0.5 * abs(up - down) / (total + 1), 2), tuple(dict.fromkeys(evidence))[:6])


# -- subject areas ----------------------------------------------------------------------------------------------------

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
_AREA_PATTERNS = {area: re.compile(rf"(?:{pattern})", re.I) for area, pattern in AREAS.items()}


def area(text: str, section: str = "") -> str:
    """What a demand is about. The words decide; the section's heading counts as well, and settles a draw."""
    scores = {
        name: 2.0 * len({match[0].lower() for match in pattern.finditer(text)})
        + 1.5 * len({match[0].lower() for match in pattern.finditer(section)})
        for name, pattern in _AREA_PATTERNS.items()
    }
    scores["Functionality"] *= 0.45  # its words are everywhere
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0 else "General"


# -- any labels -------------------------------------------------------------------------------------------------------

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
