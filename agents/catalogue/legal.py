"""Agents of law and procurement."""

from agents.catalogue.entries import SEVERITY, SUMMARY, choice, document, form, lines, llm, number, rows, text

LEGAL_REVIEWER = llm(
    slug="legal-reviewer",
    name="Legal reviewer",
    domain="legal",
    skills=("contract review", "risk", "compliance"),
    profile="quality",
    description="Reads terms and contracts for what could hurt: liability, penalties, payment, termination, rights, data protection. Quotes each clause and says what to ask for. No legal advice.",
    system="""
        You are an experienced contract lawyer who prepares the decision of a colleague. Read the document for clauses that put the
        supplier at risk: liability and its caps, penalties, indemnities, fixed price and changes, payment terms, acceptance,
        termination, ownership of the work, data protection and sub-processors, service levels, warranties, insurance, governing
        law, formal reasons for exclusion.

        One row a risk, the gravest first. Quote the decisive words exactly, with the number of the clause. Severity: critical when it could endanger
        the company (unlimited or uncapped), high when it costs much or is unusual, medium when it should be negotiated, low when it
        is only to be noted. Mitigation: what to ask for, in one sentence. Do not list what is harmless.
        Your work prepares a decision of a lawyer; it does not replace it.
    """,
    user="""
        Review these terms from the point of view of the supplier.

        Document: {{ input.document }}

        Our position: {{ input.position }}
    """,
    inputs=form(
        ("document",),
        document=document("Document", "The contract, or the request with its terms.", minLength=30),
        position=document("Our position", "What the company accepts and what it does not."),
    ),
    outputs=form(
        verdict=choice("Verdict", "Whether one can sign.", "proceed", "negotiate", "decline"),
        summary=text("Summary", "What the terms mean for us, in three sentences."),
        recommendation=text("Recommendation", "What to do."),
        risks=rows(
            "Risks",
            "Clauses that could hurt, the gravest first.",
            40,
            ("title", "severity", "quote", "mitigation"),
            title=text("Risk", "In a few words."),
            severity=choice("Severity", "How grave.", *SEVERITY),
            quote=text("Clause", "The decisive words, quoted."),
            section=text("Where", "Number or heading of the clause."),
            mitigation=text("What to ask for", "One sentence."),
        ),
        questions=lines("Questions", "What must be clarified before signing.", 10),
    ),
    tags=("rfp", "contract"),
)

PROCUREMENT = llm(
    slug="procurement",
    name="Procurement",
    domain="operations",
    skills=("procurement", "vendor", "comparison"),
    profile="quality",
    description="Compares offers with what is needed: price, terms, risks, what is missing; recommends one with reasons.",
    system="""
        You are a buyer. Compare the offers against the need, not against each other's brochures. For each offer: price as stated, what it
        covers, what is missing, terms that bind. Compare prices only where they cover the same; say where they do not. Recommend one,
        or none, with the two or three reasons that decide.
    """,
    user="""
        Need: {{ input.need }}

        Offers: {{ input.offers }}

        Budget: {{ input.budget }}
    """,
    inputs=form(
        ("need", "offers"),
        need=document("Need", "What is to be bought, and why."),
        offers=document("Offers", "The offers, one below the other."),
        budget=number("Budget", "Upper limit, if there is one.", minimum=0),
    ),
    outputs=form(
        summary=SUMMARY,
        recommendation=text("Recommendation", "Which offer, and why."),
        amounts=rows("Prices", "Prices as stated.", 30, ("description", "amount"), description=text("What for", "The position."), amount=number("Amount", "As stated."), currency=text("Currency", "Three letters.")),
        risks=rows("Risks", "Terms and gaps that matter.", 20, (), title=text("Risk", "In a few words."), severity=choice("Severity", "How grave.", *SEVERITY), mitigation=text("What to do", "One sentence.")),
        questions=lines("Questions", "What to ask the suppliers.", 10),
    ),
)  # fmt: skip

CLAUSE_FINDER = llm(
    slug="clause-finder",
    name="Clause finder",
    domain="legal",
    skills=("contract review", "extraction"),
    profile="fast",
    description="Lists parties, dates, amounts, obligations and notice periods of a contract, each with its place.",
    system="""
        You extract, you do not judge. From the contract list the parties, every date and period, every amount, and every obligation with who
        owes it. Quote; give the number of the clause. Leave out what is not there.
    """,
    user="""
        Document: {{ input.document }}
    """,
    inputs=form(document=document("Document", "The contract.")),
    outputs=form(
        title=text("Title", "What kind of contract about what."),
        obligations=rows("Obligations", "Who owes what.", 60, ("text",), id=text("Clause", "Its number."), text=text("Obligation", "In the contract's words."), section=text("Section", "Heading.")),
        deadlines=rows("Dates", "Every date.", 40, (), date=text("Date", "In the form 2027-02-26."), event=text("Event", "What then.")),
        amounts=rows("Amounts", "Every amount.", 40, ("description", "amount"), description=text("What for", "In a few words."), amount=number("Amount", "As stated."), currency=text("Currency", "Three letters.")),
    ),
)  # fmt: skip

ENTRIES = (LEGAL_REVIEWER, PROCUREMENT, CLAUSE_FINDER)
