"""Numbers, times and money as short words for a page. All take None and answer with a dash."""

from datetime import datetime, timedelta
from decimal import Decimal

NOTHING = "–"
STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def duration(value: timedelta | float | int | Decimal | None) -> str:
    """Seconds (or a timedelta) in at most two units: 0.84 s, 12 s, 3 min 20 s, 2 h 5 min, 4 d 3 h."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for (size, unit), (smaller, smaller_unit) in zip(STEPS, (*STEPS[1:], (1, "s")), strict=True):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {smaller_unit}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def money(value: Decimal | float | int | None) -> str:
    """US dollars. Cents and up with two digits, smaller sums with two significant ones: $1,204.50, $0.12, $0.0034."""
    if value is None:
        return NOTHING
    amount = Decimal(str(value))
    if amount == 0:
        return "$0"
    sign, amount = ("−" if amount < 0 else ""), abs(amount)
    if amount >= Decimal("0.01"):
        return f"{sign}${amount:,.2f}"
    if amount < Decimal("0.000001"):
        return f"{sign}<$0.000001"
    digits = -amount.adjusted() + 1
    return f"{sign}${amount:.{digits}f}".rstrip("0")


def compact(value: int | float | Decimal | None) -> str:
    """A count in at most four characters: 950, 1.2k, 38k, 4.1M."""
    if value is None:
        return NOTHING
    number = float(value)
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            short = number / size
            return f"{short:.1f}".removesuffix(".0") + unit if abs(short) < 9.95 else f"{short:.0f}{unit}"
    return f"{number:.0f}" if number == int(number) else f"{number:.1f}"


def ago(then: datetime, now: datetime) -> str:
    """The distance in one unit, past or future: just now, 5 min ago, in 2 h, 3 d ago, 14 Mar, 14 Mar 2024."""
    seconds = (now - then).total_seconds()
    distance = abs(seconds)
    if distance < 10:
        return "just now"
    if distance >= 7 * 86_400:
        return f"{then.day} {then:%b}" if then.year == now.year else f"{then.day} {then:%b %Y}"
    size, unit = next(((size, unit) for size, unit in STEPS if distance >= size), (1, "s"))
    text = f"{int(distance // size)} {unit}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def initials(name: str) -> str:
    """Two letters at most: 'Ada Lovelace' → AL, 'approver' → A."""
    words = [word for word in name.replace(".", " ").replace("_", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper() or "?"
