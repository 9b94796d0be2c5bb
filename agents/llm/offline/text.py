"""Reading text: blocks (headings, list items, paragraphs), sentences with their section, and which of them matter.

Scores are the classic ones of extractive summaries: weight of the words (tf-idf over the sentences of the text), place
(first sentences of text and section), cue words, a length that is neither stub nor monster (Edmundson 1969).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from agents.llm.offline.lexicon import ABBREVIATIONS, STOP_WORDS

_CUES = re.compile(
    r"\b(important|in summary|in conclusion|therefore|as a result|goal|objective|purpose|scope|must|required?|deadline|"
    r"budget|total|decided|recommend|risk|critical|significant|main|key|overall|problem|failed|increase[ds]?|decrease[ds]?)\b",
    re.I,
)
_MARKDOWN_HEADING = re.compile(r"^(#{1,6})\s+(?P<text>.+?)\s*#*$")
_NUMBERED_HEADING = re.compile(
    r"^(?P<number>(?:(?:section|part|annex|appendix|article)\s+)?(?:\d{1,2}|[A-Z])(?:\.\d{1,2})*)[.):]?\s+(?P<text>[A-Z][^.;!?]{2,79})$",
    re.I,
)
_ITEM = re.compile(
    r"^\s*(?:[-*•–▪]\s+|(?P<number>(?:\(?[a-z0-9]{1,3}[.)]|\d{1,2}(?:\.\d{1,2}){1,3}\.?|[A-Z]{1,6}-?\d{1,4}(?:\.\d+)?[:.)]?))\s+)(?P<text>\S.*)$"
)
_RULE = re.compile(r"^\s*([-=_*~])\1{2,}\s*$")
_LOG_LINE = re.compile(r"^\[?(?:\d{4}-\d{2}-\d{2}[T ])?\d{2}:\d{2}:\d{2}")
_PAGE = re.compile(r"^\s*(page\s+\d+(\s+of\s+\d+)?|\d{1,4})\s*$", re.I)
_ENDS = re.compile(r"([.!?])([\"'”’)\]]*)\s+(?=[\"'“‘(\[]?[A-Z0-9ÄÖÜÉ€$£])")
_TITLE = re.compile(
    r"\b(request for|invitation to|call for|tender|proposals?\b|rfp|agreement|contract|report|policy|minutes|terms)\b",
    re.I,
)
_PREAMBLE = re.compile(r"^(?:request for|invitation|call for|tender\b)", re.I)
_GIST_SECTION = re.compile(r"introduct|scope|summary|objective|background|purpose|overview|abstract|subject", re.I)
_FORMAL_SECTION = re.compile(
    r"format|evaluation|annex|appendix|submission|definition|terms|timetable|signature|contact", re.I
)
_WORD = re.compile(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ0-9'’-]*")


@dataclass(frozen=True, slots=True)
class Block:
    kind: str
    """heading | item | paragraph | row"""
    text: str
    section: str
    """The nearest heading above."""
    number: str = ""
    """What the author numbered it with: 3.2, R-12, b)"""


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    section: str
    position: int
    """Index among all sentences of the text."""
    first: bool
    """The first of its section."""
    item: bool = False
    number: str = ""


@lru_cache(maxsize=64)
def blocks(text: str) -> tuple[Block, ...]:
    """Lines joined to paragraphs and list items; headings remembered as the section of what follows."""
    result: list[Block] = []
    section, pending, kind, number = "", list[str](), "paragraph", ""
    in_code = False

    def flush() -> None:
        nonlocal pending, kind, number
        if pending:
            result.append(Block(kind, " ".join(pending), section, number))
        pending, kind, number = [], "paragraph", ""

    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    for index, line in enumerate(lines):
        stripped = line.strip()
        if stripped.startswith("```"):
            in_code = not in_code
            flush()
            continue
        if in_code:
            continue
        if not stripped or _RULE.match(stripped) or _PAGE.match(stripped):
            flush()
            continue
        if stripped.startswith("|") and stripped.count("|") >= 3:
            flush()
            cells = [cell.strip() for cell in stripped.strip("|").split("|")]
            if any(re.search(r"\w", cell) for cell in cells):
                result.append(Block("row", " | ".join(cells), section))
            continue
        if _LOG_LINE.match(stripped):
            flush()
            result.append(Block("row", stripped, section))
            continue
        before = not pending
        heading = _heading(stripped, before, lines[index + 1].strip() if index + 1 < len(lines) else "")
        if heading:
            flush()
            section = heading
            result.append(Block("heading", heading, heading))
            continue
        item = _ITEM.match(line)
        if item:
            flush()
            kind, number = "item", (item["number"] or "").strip("().:")
            pending = [_plain(item["text"])]
            continue
        if (
            pending
            and kind == "item"
            and line[:1] not in (" ", "\t")
            and not before
            and _starts_paragraph(stripped, pending)
        ):
            flush()
        pending.append(_plain(stripped))
    flush()
    return tuple(result)


def _starts_paragraph(line: str, pending: Sequence[str]) -> bool:
    """After a list item that has ended with a full stop, an unindented capital letter begins something new."""
    return bool(pending[-1][-1:] in ".:;" and line[:1].isupper())


def _heading(line: str, after_gap: bool, following: str) -> str:
    if match := _MARKDOWN_HEADING.match(line):
        return _plain(match["text"])
    if following and re.fullmatch(r"(=|-){3,}", following) and len(line) < 90:
        return _plain(line)
    if not after_gap or len(line) > 90:
        return ""
    bold = re.fullmatch(r"\*\*(.+?)\*\*:?", line)
    if bold:
        return bold.group(1)
    # A numbered line with a blank line after it is a heading; one amid lines is a list item.
    if (match := _NUMBERED_HEADING.match(line)) and not following:
        return line
    letters = [letter for letter in line if letter.isalpha()]
    if len(letters) > 3 and all(letter.isupper() for letter in letters) and len(line.split()) <= 10:
        return line
    return ""


def _plain(text: str) -> str:
    """Without Markdown's marks; links keep their words."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|`)(.+?)\1", r"\2", text)
    return re.sub(r"\s+", " ", text).strip()


@lru_cache(maxsize=64)
def sentences(text: str) -> tuple[Sentence, ...]:
    result: list[Sentence] = []
    last_section: str | None = None
    for block in blocks(text):
        if block.kind == "heading":
            continue
        for part in [block.text] if block.kind == "row" else split(block.text):
            if not _WORD.search(part):
                continue
            result.append(
                Sentence(
                    part, block.section, len(result), block.section != last_section, block.kind == "item", block.number
                )
            )
            last_section = block.section
    return tuple(result)


def split(paragraph: str) -> list[str]:
    """Sentences of one paragraph; abbreviations and initials do not end one."""
    parts, start = [], 0
    for match in _ENDS.finditer(paragraph):
        before = paragraph[start : match.start()].rsplit(None, 1)
        last = before[-1].lower().lstrip("(") if before else ""
        if match[1] == "." and (last in ABBREVIATIONS or re.fullmatch(r"[a-z]|\d{1,2}|[a-z]\.[a-z]", last)):
            continue
        parts.append(paragraph[start : match.end()].strip())
        start = match.end()
    parts.append(paragraph[start:].strip())
    return [part for part in parts if part]


def headings(text: str) -> list[str]:
    return [block.text for block in blocks(text) if block.kind == "heading"]


def title(text: str) -> str:
    """The first heading or a title-like first line; else the first sentence, cut. Of a tender, its subject."""
    lines = [line.strip() for line in text.strip().split("\n")[:12]]
    for line, following in pairwise(lines):
        if _PREAMBLE.match(line) and len(line) < 90 and 8 < len(following) < 140 and following[-1:] not in ".;:":
            return following
    first_blocks = [block for block in blocks(text)[:6] if len(block.text) < 160 and block.text[-1:] not in ".;:"]
    for block in first_blocks:
        if _TITLE.search(block.text):
            return block.text
    for block in first_blocks[:3]:
        if block.kind == "heading" or (
            block.kind == "paragraph" and len(block.text) < 90 and block.text[-1:] not in ".;:"
        ):
            return block.text
    first = next(iter(sentences(text)), None)
    return shorten(first.text, 80) if first else ""


def words(text: str) -> list[str]:
    """Lower-case words that carry meaning, crudely stemmed."""
    return [
        stem(word)
        for word in (found.lower() for found in _WORD.findall(text))
        if word not in STOP_WORDS and len(word) > 2
    ]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Plural and the commonest endings off, so that "requirements" meets "requirement"."""
    word = word.removesuffix("'s").removesuffix("’s")
    for ending, instead, shortest in (
        ("ies", "y", 5),
        ("sses", "ss", 5),
        ("ings", "ing", 6),
        ("ses", "se", 5),
        ("s", "", 4),
    ):
        if word.endswith(ending) and len(word) >= shortest and not word.endswith(("ss", "us", "is")):
            return word[: -len(ending)] + instead
    return word


def keywords(text: str, most: int = 10) -> list[str]:
    """Words and pairs of words the text is about, in the author's own spelling."""
    found = [word for word in _WORD.findall(text) if len(word) > 2]
    counts: Counter[str] = Counter()
    shown: dict[str, Counter[str]] = {}
    for word in found:
        if word.lower() in STOP_WORDS:
            continue
        key = stem(word.lower())
        counts[key] += 1
        shown.setdefault(key, Counter())[word.lower()] += 1
    for left, right in pairwise(found):
        if left.lower() in STOP_WORDS or right.lower() in STOP_WORDS:
            continue
        key = f"{stem(left.lower())} {stem(right.lower())}"
        counts[key] += 1
        shown.setdefault(key, Counter())[f"{left.lower()} {right.lower()}"] += 1
    ranked = sorted(counts, key=lambda key: (-counts[key] * (1.8 if " " in key else 1.0), key))
    result: list[str] = []
    for key in ranked:
        if counts[key] < (2 if len(found) > 60 else 1):
            continue
        if any(key in other or set(key.split()) & set(other.split()) for other in result):
            continue
        result.append(key)
        if len(result) == most:
            break
    return [shown[key].most_common(1)[0][0] for key in result]


def scored(text: str, focus: Iterable[str] = ()) -> list[tuple[float, Sentence]]:
    """Every sentence with its weight. `focus`: words that matter more (of a question, of a field's name)."""
    found = sentences(text)
    bags = [Counter(words(sentence.text)) for sentence in found]
    spread: Counter[str] = Counter(word for bag in bags for word in bag)
    wanted = {stem(word.lower()) for word in focus}
    total = max(1, len(found))
    result = []
    for sentence, bag in zip(found, bags, strict=True):
        size = sum(bag.values())
        if not size:
            continue
        # Words that come back through the text are its subject; those in every sentence say nothing.
        weight = sum(
            count * math.log1p(spread[word]) * math.log(total / spread[word] + 1.0) for word, count in bag.items()
        )
        score = weight / (size + 6)
        score *= 1.35 if sentence.position < 2 else 1.15 if sentence.first else 1.0
        score *= (
            1.4 if _GIST_SECTION.search(sentence.section) else 0.6 if _FORMAL_SECTION.search(sentence.section) else 1.0
        )
        score *= 1.0 + 0.12 * min(3, len(_CUES.findall(sentence.text)))
        score *= 1.0 + 0.9 * sum(1 for word in wanted if word in bag)
        count = len(sentence.text.split())
        score *= 0.45 if count < 5 else 0.75 if count > 55 else 1.0
        score *= 0.55 if sentence.text.endswith(":") else 1.0
        score *= 0.6 if sentence.text.count("|") else 1.0
        score *= 0.4 if not sentence.item and sentence.text[-1:] not in ".!?:" else 1.0  # a title, an address
        result.append((score, sentence))
    return result


def best(text: str, most: int, focus: Iterable[str] = ()) -> list[Sentence]:
    """The `most` weightiest sentences, none saying nearly the same as another, in the order of the text."""
    chosen: list[Sentence] = []
    bags: list[set[str]] = []
    for _, sentence in sorted(scored(text, focus), key=lambda pair: (-pair[0], pair[1].position)):
        bag = set(words(sentence.text))
        if any(overlap(bag, other) > 0.6 for other in bags):
            continue
        chosen.append(sentence)
        bags.append(bag)
        if len(chosen) == most:
            break
    return sorted(chosen, key=lambda sentence: sentence.position)


def about(text: str, question: str, most: int = 3) -> list[Sentence]:
    """Sentences that share meaningful words with `question`, best first; nothing when none does."""
    wanted = set(words(question))
    found = []
    for score, sentence in scored(text, wanted):
        shared = wanted & set(words(sentence.text) + words(sentence.section))
        if shared:
            found.append((len(shared) + score / 10, sentence))
    return [sentence for _, sentence in sorted(found, key=lambda pair: (-pair[0], pair[1].position))[:most]]


def overlap(left: set[str], right: set[str]) -> float:
    return len(left & right) / max(1, min(len(left), len(right)))


def shorten(text: str, longest: int) -> str:
    """Cut at a word, with an ellipsis."""
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) <= longest:
        return text
    return text[: longest - 1].rsplit(" ", 1)[0].rstrip(",;:–- ") + "…"


def sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
