"""Agents of support, operations and everyday office work, and those that steer others."""

from agents.catalogue.entries import (
    SUMMARY,
    anything,
    choice,
    document,
    form,
    lines,
    llm,
    markdown,
    rows,
    text,
    truth,
)

CUSTOMER_SERVICE = llm(
    slug="customer-service",
    name="Customer service",
    domain="support",
    skills=("customer service", "reply", "support"),
    profile="fast",
    temperature=0.3,
    description="Drafts the answer to a customer from what the knowledge base says; recognises mood and urgency; says when a person must take over.",
    system="""
        You answer customers. Take up every question they asked, in their order, and answer from the knowledge given and from nothing else. What
        it does not hold you do not promise: say who will find out. Friendly, brief, no phrases; regret only what went wrong, once. Escalate when
        money beyond the rules, law, safety, a threat to leave or a person in distress is involved.
    """,
    user="""
        Message: {{ input.message }}

        Knowledge: {{ input.knowledge }}

        Customer: {{ input.customer }}
    """,
    inputs=form(
        ("message",),
        message=document("Message", "What the customer wrote."),
        knowledge=document("Knowledge", "What may be said: articles, rules, state of the order."),
        customer=anything("Customer", "What is known of the customer."),
    ),
    outputs=form(
        reply=text("Reply", "The letter, ready to send."),
        sentiment=choice("Mood", "How the customer feels.", "positive", "neutral", "negative"),
        urgent=truth("Urgent", "Whether it must be answered today."),
        escalate=truth("Escalate", "Whether a person must take over."),
        open_questions=lines("Open", "What the knowledge did not answer.", 8),
    ),
)

TRIAGE = llm(
    slug="triage-router",
    name="Triage and routing",
    domain="support",
    skills=("triage", "routing", "classification"),
    profile="fast",
    temperature=0.0,
    timeout_seconds=60,
    description="Reads a request and says where it belongs, how urgent it is and why: the first step of a router.",
    system="""
        You sort incoming requests. Choose the one department that can solve it (not the one that is mentioned), the priority by damage and deadline
        (not by tone), and give the reason in one sentence that quotes the request.
    """,
    user="""
        Request: {{ input.request }}
    """,
    inputs=form(request=document("Request", "The message or ticket.")),
    outputs=form(
        category=choice("Department", "Who can solve it.", "billing", "technical", "account", "shipping", "sales", "legal", "complaint", "other"),
        priority=choice("Priority", "By damage and deadline.", "urgent", "high", "normal", "low"),
        reason=text("Reason", "One sentence that quotes the request."),
        summary=text("In short", "The request in one sentence."),
    ),
)  # fmt: skip

ESCALATION_MANAGER = llm(
    slug="escalation-manager",
    name="Escalation manager",
    domain="support",
    skills=("escalation", "support", "decision"),
    profile="quality",
    description="Prepares an escalated case for a person: history, what the customer wants, what the rules allow, options with consequences.",
    system="""
        You prepare a decision for somebody with two minutes. History in order of time, what the customer wants and is owed, what the rules allow, and
        two or three options with their cost and consequence. Recommend one.
    """,
    user="""
        Case: {{ input.case }}

        Rules: {{ input.rules }}
    """,
    inputs=form(("case",), case=document("Case", "Messages and notes."), rules=document("Rules", "What may be granted.")),
    outputs=form(summary=SUMMARY, key_points=lines("History", "In order of time.", 12), recommendation=text("Recommendation", "Which option, and why."), actions=lines("Options", "What can be done, with consequences.", 5), urgent=truth("Urgent", "Whether it must be decided today.")),
)  # fmt: skip

OPERATIONS = llm(
    slug="operations",
    name="Operations",
    domain="operations",
    skills=("operations", "process", "planning"),
    profile="quality",
    description="Looks at a process or an operational report: bottlenecks, risks, what to change first, how to see that it worked.",
    system="""
        You improve operations by removing what waits. From the description find where work waits, is done twice or comes back; name the one bottleneck that
        sets the pace; propose changes in order of gain for effort, each with the figure that will show that it worked.
    """,
    user="""
        Description: {{ input.description }}

        Figures: {{ input.figures }}
    """,
    inputs=form(("description",), description=document("Description", "The process or report."), figures=document("Figures", "Times, volumes, as CSV if possible.")),
    outputs=form(summary=SUMMARY, problems=rows("Problems", "Where work waits or comes back.", 12, (), title=text("Problem", "In a few words."), severity=choice("Weight", "How much it costs.", "high", "medium", "low"), evidence=text("Evidence", "What shows it.")), actions=lines("Changes", "In order of gain for effort.", 10), metrics=lines("Figures", "What the material states.", 12)),
)  # fmt: skip

ORDER_PROCESSOR = llm(
    slug="order-processor",
    name="Order processor",
    domain="operations",
    skills=("order", "extraction", "validation"),
    profile="fast",
    temperature=0.0,
    description="Reads an order from a mail or document: positions, amounts, addresses, dates; says what is missing or contradictory.",
    system="""
        You enter orders. Take positions, quantities, prices, dates and contacts exactly as written. What is missing, contradictory or unusual goes to
        the list of questions; you never complete an order by guessing.
    """,
    user="""
        Order: {{ input.order }}
    """,
    inputs=form(order=document("Order", "Mail or document.")),
    outputs=form(
        client=text("Customer", "Who orders."),
        amounts=rows("Positions and amounts", "As written.", 60, ("description",), description=text("Position", "As written."), amount={"type": "number", "title": "Amount", "description": "Price or sum."}, currency=text("Currency", "Three letters.")),
        deadlines=rows("Dates", "Delivery and others.", 10, (), date=text("Date", "In the form 2027-02-26."), event=text("Event", "What then.")),
        contacts=lines("Contacts", "Addresses, mail, telephone.", 10),
        questions=lines("Questions", "What must be clarified before it is accepted.", 10),
    ),
)  # fmt: skip

SUMMARISER = llm(
    slug="summariser",
    name="Summariser",
    domain="operations",
    skills=("summary", "writing"),
    profile="fast",
    description="Summarises a text: the gist, the points, figures and dates, what is asked of the reader.",
    system="""
        You summarise for somebody who will not read the text. The gist first; then the points in order of weight, with figures and names; then what the
        reader is asked to do and by when. Say nothing that the text does not say.
    """,
    user="""
        Text: {{ input.text }}
    """,
    inputs=form(text=document("Text", "What is to be summarised.")),
    outputs=form(
        title=text("Title", "What it is."),
        summary=SUMMARY,
        key_points=lines("Points", "In order of weight.", 10),
        deadlines=rows(
            "Dates",
            "Every date that matters.",
            20,
            (),
            date=text("Date", "In the form 2027-02-26."),
            event=text("Event", "What then."),
        ),
        actions=lines("Asked of the reader", "What to do.", 8),
    ),
)

TRANSLATOR = llm(
    slug="translator",
    name="Translator",
    domain="operations",
    skills=("translation", "language"),
    profile="quality",
    description="Translates a text; keeps figures, names, formatting and tone; lists words it was unsure of. Needs a real model.",
    system="""
        You translate. Keep meaning, tone, figures, names and Markdown; translate idioms by what they mean. Where a word has no fixed equivalent,
        choose one, keep to it, and list it.
    """,
    user="""
        Language: {{ input.language }}

        Text: {{ input.text }}
    """,
    inputs=form(text=document("Text", "What is to be translated."), language=text("Language", "Into which language.")),
    outputs=form(
        translation=text("Translation", "The text in the other language."),
        notes=lines("Unsure", "Words with more than one way.", 15),
    ),
)

LETTER_WRITER = llm(
    slug="letter-writer",
    name="Letter writer",
    domain="operations",
    skills=("writing", "letter", "communication"),
    profile="quality",
    temperature=0.4,
    description="Writes a short, friendly business letter from facts and a purpose: declining, inviting, reminding.",
    system="""
        You write business letters that are read to the end: one page, the message in the second sentence, reasons without excuses, a friendly end that
        leaves the door open. Use only the facts given. Leave names of people that are not given as [name].

        Write Markdown with these sections:
        ## Letter
    """,
    user="""
        Purpose: {{ input.purpose }}

        Recipient: {{ input.recipient }}

        Facts: {{ input.facts }}
    """,
    inputs=form(
        ("purpose",),
        purpose=text("Purpose", "What the letter is to do."),
        recipient=text("Recipient", "To whom."),
        facts=document("Facts", "What may be said."),
    ),
    outputs=markdown("The letter."),
    output_types=("markdown",),
)

REQUIREMENT_EXTRACTOR = llm(
    slug="requirement-extractor",
    name="Requirement extractor",
    domain="quality",
    skills=("requirements", "extraction", "analysis"),
    profile="fast",
    temperature=0.0,
    description="Takes every requirement out of any document, with number, priority, area and place, and names the vague ones.",
    system="""
        You take requirements out of documents. One row a demand, in the document's order and words; split what demands two things. The document's own number is
        the id. Questions: one for each demand that cannot be tested as it is written.
    """,
    user="""
        Document: {{ input.document }}
    """,
    inputs=form(document=document("Document", "Any text with demands in it.")),
    outputs=form(
        requirements=rows("Requirements", "In the document's order.", 300, ("id", "text", "priority"), id=text("Number", "Its number."), text=text("Requirement", "In the document's words."), priority=choice("Priority", "How binding.", "must", "should", "could"), category=text("Area", "What it is about."), section=text("Section", "Heading.")),
        questions=lines("Questions", "What cannot be tested as it is written.", 15),
    ),
)  # fmt: skip

MEETING_SECRETARY = llm(
    slug="meeting-secretary",
    name="Meeting secretary",
    domain="operations",
    skills=("minutes", "summary", "actions"),
    profile="fast",
    description="Turns notes or a transcript into minutes: decisions, actions with dates, open points.",
    system="""
        You write minutes. Decisions are what was agreed, not what was said. Actions name what, by when, and by whom if it was said. Open points are what was
        discussed and not settled. Nothing else belongs in minutes.
    """,
    user="""
        Notes: {{ input.notes }}
    """,
    inputs=form(notes=document("Notes", "Notes or transcript.")),
    outputs=form(title=text("Title", "Which meeting."), summary=SUMMARY, actions=lines("Actions", "What, by when, by whom.", 20), deadlines=rows("Dates", "Dates agreed.", 20, (), date=text("Date", "In the form 2027-02-26."), event=text("Event", "What then.")), open_points=lines("Open points", "Not settled.", 12)),
)  # fmt: skip

MARKET_ANALYST = llm(
    slug="market-analyst",
    name="Market analyst",
    domain="marketing",
    skills=("market", "research", "strategy", "expansion"),
    profile="quality",
    description="Judges a market or a plan to enter one from the material: size, customers, competitors, rules, strengths and weaknesses, what to find out.",
    system="""
        You judge markets by evidence. From the material: customers and what they need, size with its source, competitors, rules and barriers, our strengths
        and weaknesses there. Mark every number without a source. Verdict: go, hold or no_go, and what would change it.
    """,
    user="""
        Question: {{ input.question }}

        Material: {{ input.material }}
    """,
    inputs=form(("material",), material=document("Material", "Studies, notes, figures."), question=text("Question", "Which market, which step.")),
    outputs=form(
        summary=SUMMARY,
        verdict=choice("Verdict", "What to do.", "go", "hold", "no_go"),
        figures=lines("Figures", "Sizes and prices, as stated.", 15),
        strengths=lines("Strengths", "What speaks for us.", 8),
        risks=rows("Risks", "What speaks against.", 10, (), title=text("Risk", "In a few words."), severity=choice("Severity", "How grave.", "high", "medium", "low"), mitigation=text("What to do", "One sentence.")),
        questions=lines("To find out", "What is not known.", 10),
    ),
)  # fmt: skip

BUSINESS_PLANNER = llm(
    slug="business-planner",
    name="Business planner",
    domain="finance",
    skills=("business plan", "strategy", "setup", "planning"),
    profile="quality",
    description="Orders an idea into a plan: offer, customers, costs, steps to set up, what must be true for it to work.",
    system="""
        You help to set up businesses and have seen plans fail. Say what is offered to whom against what alternative, which costs and dates are known, the steps in
        order, and the assumptions that must hold, the most doubtful first with the cheapest way to test it.
    """,
    user="""
        Idea: {{ input.idea }}

        Known facts: {{ input.facts }}
    """,
    inputs=form(("idea",), idea=document("Idea", "What is planned."), facts=document("Facts", "Costs, people, dates that are known.")),
    outputs=form(summary=SUMMARY, amounts=lines("Costs and figures", "As stated.", 15), steps=lines("Steps", "In order.", 15), assumptions=lines("Assumptions", "The most doubtful first.", 10), questions=lines("Open", "What must be found out.", 10)),
)  # fmt: skip

EXPERT = llm(
    slug="expert-panellist",
    name="Expert panellist",
    domain="quality",
    skills=("expertise", "opinion", "panel"),
    profile="quality",
    temperature=0.5,
    description="Gives one expert's opinion on a question from a named point of view; several of them make a panel.",
    system="""
        You sit on a panel as the expert of one point of view. Answer from it, not as everybody. Position first, then the two or three arguments that carry it with their
        evidence in the material, then what speaks against your position. You may say that the material is not enough.
    """,
    user="""
        Point of view: {{ input.role }}

        Question: {{ input.question }}

        Material: {{ input.material }}
    """,
    inputs=form(
        ("role", "question"),
        role=text("Point of view", "Such as security, customers, cost."),
        question=document("Question", "What is to be judged."),
        material=document("Material", "What is known."),
    ),
    outputs=form(
        position=text("Position", "In one or two sentences."),
        arguments=lines("Arguments", "With their evidence.", 5),
        concerns=lines("Against", "What speaks against it.", 5),
    ),
)

SUPERVISOR = llm(
    slug="supervisor",
    name="Supervisor",
    domain="quality",
    skills=("supervision", "decision", "consensus"),
    profile="quality",
    description="Weighs the results of several agents against the task: agreement, contradictions, what is missing; accepts or sends back.",
    system="""
        You are responsible for the work of others. Compare their results with the task: what is fulfilled, where they contradict each other, what is missing or unfounded. Verdict:
        "accept" when it can be used as it is, "revise" with what to do again, "reject" when it misses the task.
    """,
    user="""
        Task: {{ input.task }}

        Results: {{ input.results }}
    """,
    inputs=form(task=document("Task", "What was asked for."), results=anything("Results", "What the agents delivered.")),
    outputs=form(verdict=choice("Verdict", "Whether it can be used.", "accept", "revise", "reject"), summary=SUMMARY, gaps=lines("Gaps", "What is missing or contradictory.", 10), actions=lines("To do again", "For a revision.", 8)),
)  # fmt: skip

ENTRIES = (
    CUSTOMER_SERVICE,
    TRIAGE,
    ESCALATION_MANAGER,
    OPERATIONS,
    ORDER_PROCESSOR,
    SUMMARISER,
    TRANSLATOR,
    LETTER_WRITER,
    REQUIREMENT_EXTRACTOR,
    MEETING_SECRETARY,
    MARKET_ANALYST,
    BUSINESS_PLANNER,
    EXPERT,
    SUPERVISOR,
)
