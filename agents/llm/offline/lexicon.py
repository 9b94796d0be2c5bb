"""Word lists."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = word_set(
    """
    a about above after again all also an and any are as at be because been before being below between both but
    by can cannot could did do does doing down during each either else ever every few for from further get got
    had has have having he her here hers him his how however i if in into is it its itself just last least less
    let like made make many may me might more most much must my no nor not now of off on once one only onto or
    other our out over own per same shall she should so some such than that the their them then there these they
    this those through to too under until up upon us use used using very was we were what when where which while
    who whom why will with within without would you your yours please new two three four five six seven eight
    nine ten et al eg ie etc
    """
)
"""Words that say nothing of the subject."""

ABBREVIATIONS = word_set(
    """
    e.g i.e etc mr mrs ms dr prof no nos vs inc ltd co corp approx art sec fig cf st jan feb mar apr jun jul aug
    sep sept oct nov dec para ca max min incl excl resp u.s p.a
    """
)
"""Their full stop ends no sentence."""

POSITIVE = word_set(
    """
    good great excellent love loved happy thank thanks perfect amazing helpful nice wonderful fantastic best
    pleased glad easy fast friendly recommend impressed improved improvement success successful growth grew
    increase increased profit gain appreciate reliable smooth brilliant well works resolved
    """
)

NEGATIVE = word_set(
    """
    bad terrible awful hate hated angry broken disappointed disappointing worst slow useless poor horrible
    annoying frustrated frustrating unacceptable refund complaint complain never failed fails fail failure
    problem issue wrong missing late delay delayed loss decline declined decrease decreased rude unhappy cancel
    bug crash crashed error expensive confusing
    """
)

NEGATION = word_set(
    """
    not no never don't doesn't didn't isn't wasn't hardly without cannot can't won't
    """
)
"""They turn the next words round."""

EVERYWHERE = word_set(
    """
    must shall should able allow provide portal system contractor supplier city client user data
    """
)
"""Words that every demand has and that answer none."""
