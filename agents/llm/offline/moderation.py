"""Moderation by word lists: which categories of the house rules a text touches, how strongly, and by which words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.llm.offline.labels import Verdict


@dataclass(frozen=True, slots=True)
class Signal:
    """A pattern and how strongly it speaks for its label (1: enough by itself)."""

    pattern: re.Pattern[str]
    weight: float
    why: str


def _signals(*rows: tuple[float, str, str]) -> tuple[Signal, ...]:
    return tuple(Signal(re.compile(pattern, re.I), weight, why) for weight, why, pattern in rows)


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
    [
        "ok",
        "fine",
        "acceptable",
        "none",
        "clean",
        "safe",
        "allowed",
        "allow",
        "neutral",
        "harmless",
        "legitimate",
        "no_violation",
        "benign",
        "normal",
    ]
)


# Words that soften: quoting, reporting, self-irony, fiction. They make a finding doubtful, they do not undo it.
_SOFTENERS = re.compile(
    r"\b(?:lol|haha\w*|just kidding|jk|no offen[cs]e|i quote|quote:|he said|she said|called me|they said|in the (?:film|movie|book|game|show)|"
    r"joke|joking|sarcasm|/s|ironically|so-called)\b|[😂🤣😉😄]",
    re.I,
)


_OFFICIAL = re.compile(r"\b(?:support|info|contact|help|press|service|sales|office|noreply|hello|feedback)@", re.I)


def flags(text: str) -> list[Verdict]:
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


def category_of(label: str) -> str | None:
    """Which of our categories a label of somebody's schema means; "ok" for the harmless one; None if none."""
    name = label.lower().strip().replace(" ", "_").replace("-", "_")
    if name in _OK_NAMES:
        return "ok"
    for category, names in _MODERATION_NAMES.items():
        if name == category or name in names.split():
            return category
    return None
