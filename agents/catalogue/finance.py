"""Agents of finance and data."""

from agents.catalogue.entries import SUMMARY, choice, document, form, lines, llm, number, objects, rows, text

PRICING_ANALYST = llm(
    slug="pricing-analyst",
    name="Pricing analyst",
    domain="finance",
    skills=("pricing", "estimation", "cost"),
    profile="quality",
    description="Groups requirements into work packages and estimates hours for each, with the reasons and assumptions. The sums are left to the quote calculator.",
    system="""
        You estimate software and service projects. Group the requirements into five to twelve work packages such that each requirement is
        in exactly one, and add packages for project management and for acceptance and start if the work needs them. Estimate hours for each package as an experienced team would need them, tests
        and documentation included. Say what the estimate rests on: the ids covered and what makes it large or small.

        Do not multiply or add up: another step computes the price. Assumptions: everything which, if it turned out otherwise, would change
        the hours by more than a tenth.
    """,
    user="""
        Requirements: {{ input.requirements }}

        Summary of the task: {{ input.summary }}

        Estimating rules: {{ input.rules }}
    """,
    inputs=form(
        ("requirements",),
        requirements=objects("Requirements", "Objects with id, text, priority and category."),
        summary=document("Summary", "What it is about."),
        rules=document("Estimating rules", "Rates, known efforts, house rules."),
    ),
    outputs=form(
        ("work_packages", "assumptions"),
        work_packages=rows(
            "Work packages",
            "Together they cover all requirements.",
            25,
            ("name", "hours", "scope"),
            name=text("Name", "In a few words."),
            hours=number("Hours", "Estimated hours of the whole team.", minimum=0, maximum=100000),
            scope=text("Scope", "What it covers, with the ids of the requirements."),
            requirement_ids=lines("Requirements", "Ids of what it covers.", 200),
        ),
        assumptions=lines("Assumptions", "What the estimate stands on.", 15),
    ),
    input_types=("json",),
    tags=("rfp", "estimate"),
)

FINANCIAL_REPORTER = llm(
    slug="financial-reporter",
    name="Financial reporter",
    domain="finance",
    skills=("finance", "reporting", "analysis"),
    profile="quality",
    description="Explains a table of figures (CSV or JSON): totals, changes, what stands out, what to ask the departments.",
    system="""
        You write the commentary of a monthly financial report. Every sentence names its figures. Say first what changed and by how much,
        then what the figures show about why, then what they do not show. A change of less than two per cent is no news. Never extrapolate.
    """,
    user="""
        Figures: {{ input.figures }}

        Period: {{ input.period }}

        Notes of departments: {{ input.notes }}
    """,
    inputs=form(
        ("figures",),
        figures=document("Figures", "A table as CSV with a heading, or JSON."),
        period=text("Period", "What the figures are of."),
        notes=document("Notes", "What departments say about their figures."),
    ),
    outputs=form(
        summary=SUMMARY,
        metrics=lines("Figures", "The figures that matter, each in a sentence.", 15),
        anomalies=lines("What stands out", "Values that need an explanation.", 10),
        questions=lines("Questions", "What to ask the departments.", 8),
    ),
)

BUSINESS_INTELLIGENCE = llm(
    slug="business-intelligence",
    name="Business intelligence",
    domain="data",
    skills=("analysis", "metrics", "insight", "research"),
    profile="quality",
    description="Finds in reports and tables what a manager should know: metrics, trends, risks, chances, and what to decide.",
    system="""
        You are an analyst who is paid for being short. From the material work out what has changed, what it means for the question, and
        what could be decided. Each insight stands on a figure or a quotation. Keep apart what is measured, what is said, and what you infer.
    """,
    user="""
        Question: {{ input.question }}

        Material: {{ input.material }}
    """,
    inputs=form(
        ("material",),
        material=document("Material", "Reports, notes, tables."),
        question=text("Question", "What you want to know.", default="What should management know?"),
    ),
    outputs=form(
        summary=SUMMARY,
        insights=lines("Insights", "What follows from the figures, with the figures.", 10),
        risks=rows("Risks", "What could go wrong.", 10, (), title=text("Risk", "In a few words."), severity=choice("Severity", "How grave.", "high", "medium", "low"), evidence=text("Evidence", "What it rests on.")),
        recommendations=lines("Recommendations", "What to decide or do.", 8),
    ),
)  # fmt: skip

DATA_ANALYST = llm(
    slug="data-analyst",
    name="Data analyst",
    domain="data",
    skills=("data", "statistics", "analysis"),
    profile="quality",
    description="Describes a data set: columns, ranges, gaps, outliers, relations, and which questions it can and cannot answer.",
    system="""
        You look at a data set before anybody builds on it. Describe what each column holds, ranges, missing and odd values, and relations
        that the data shows. Say which questions it can answer and which not. Correlation is not cause; say so where it tempts.
    """,
    user="""
        Data: {{ input.data }}

        Question: {{ input.question }}
    """,
    inputs=form(
        ("data",),
        data=document("Data", "CSV with a heading, or JSON."),
        question=text("Question", "What is to be found out."),
    ),
    outputs=form(
        summary=SUMMARY,
        facts=lines("Facts", "What the data shows, with figures.", 20),
        anomalies=lines("Odd values", "Gaps, outliers, contradictions.", 10),
        limitations=lines("Limits", "What the data cannot answer.", 8),
    ),
)

ENTRIES = (PRICING_ANALYST, FINANCIAL_REPORTER, BUSINESS_INTELLIGENCE, DATA_ANALYST)
