"""Agents without a model: exact work between the others, and three for trying the engine."""

from agents.catalogue.entries import python

QUOTE_CALCULATOR = python(
    slug="quote-calculator",
    name="Quote calculator",
    domain="finance",
    skills=("pricing", "calculation"),
    function="quote",
    description="Computes a quote from work packages and rates, exact to the cent, with a table. No model is asked, so sums are always right.",
    tags=("rfp",),
)
FINDINGS_MERGER = python(
    slug="findings-merger",
    name="Findings merger",
    domain="quality",
    skills=("review", "aggregation"),
    function="merge-findings",
    description="Puts the findings of several reviewers together: doubles out, the gravest first, counted, as a table.",
    tags=("review",),
)
TALLY = python(
    slug="tally",
    name="Tally",
    domain="data",
    skills=("counting", "aggregation"),
    function="tally",
    description="Counts a list of objects by any of their fields and shows it as a table.",
)
DOCUMENT_BUILDER = python(
    slug="document-builder",
    name="Document builder",
    domain="operations",
    skills=("document", "report"),
    function="build-document",
    description="Puts sections together to one Markdown document without rewording anything; lists of objects become tables.",
    output_types=("markdown",),
)
ECHO = python(
    slug="echo",
    name="Echo",
    domain="quality",
    skills=("testing",),
    function="echo",
    description="Returns its inputs as they came: to try a workflow.",
    tags=("trial",),
)
SLEEP = python(
    slug="sleep",
    name="Sleep",
    domain="quality",
    skills=("testing",),
    function="sleep",
    description="Waits the given seconds, then answers: to try waiting, time limits and parallel branches.",
    tags=("trial",),
    timeout_seconds=3600,
)
FLAKY = python(
    slug="flaky",
    name="Flaky",
    domain="quality",
    skills=("testing",),
    function="flaky",
    description="Fails the given number of attempts, then succeeds: to see retries at work.",
    tags=("trial",),
)

ENTRIES = (QUOTE_CALCULATOR, FINDINGS_MERGER, TALLY, DOCUMENT_BUILDER, ECHO, SLEEP, FLAKY)
