"""Agents of sales and marketing: from the request for proposals to the proposal, and campaigns."""

from agents.catalogue.entries import (
    SUMMARY,
    anything,
    choice,
    document,
    form,
    lines,
    llm,
    markdown,
    objects,
    rows,
    text,
)

RFP_ANALYST = llm(
    slug="rfp-analyst",
    name="RFP analyst",
    domain="sales",
    skills=("rfp analysis", "requirements", "document analysis"),
    profile="quality",
    description="Reads a request for proposals and takes out what a bid team needs: client, budget, deadlines, every requirement, how bids are judged, and what is unclear.",
    system="""
        You are a bid manager who has read hundreds of requests for proposals. You take one apart so that nobody on the team has
        to read it again to know what is asked.

        Requirements: list every single demand on the solution or the service, one row each, in the order of the document. Keep
        the document's own number as the id; number with R-01, R-02 where it has none. Keep the wording, shortened at most.
        Split a sentence that demands two things. Priority is "must" for must, shall, is required; "should" for should, desirable;
        "could" for may, optional, would be welcome. Contract terms and rules of the tender are not requirements.
        Deadlines: every date that binds the bidder or the project.
        Questions: what a careful bidder would ask before the deadline for questions, each about one vague or missing point.
    """,
    user="""
        Take this request for proposals apart.

        Document: {{ input.document }}
    """,
    inputs=form(document=document("Document", "The text of the request for proposals.", minLength=50)),
    outputs=form(
        ("title", "client", "summary", "requirements", "deadlines", "questions"),
        title=text("Title", "What is asked for, as the document calls it."),
        client=text("Client", "Who asks."),
        summary=SUMMARY,
        submission_deadline=text("Submission deadline", "When the proposal must be there."),
        budget=text("Budget", "Estimated value or upper limit, with currency."),
        requirements=rows(
            "Requirements",
            "Every demand on the solution or service.",
            300,
            ("id", "text", "priority", "category"),
            id=text("Number", "The document's own number, or R-01, R-02, ..."),
            text=text("Requirement", "The demand in the document's words."),
            priority=choice("Priority", "How binding it is.", "must", "should", "could"),
            category=text("Area", "What it is about, such as security, accessibility, integration."),
            section=text("Section", "Heading it stands under."),
        ),
        deadlines=rows(
            "Deadlines",
            "Dates that bind the bidder or the project, in order.",
            40,
            ("date", "event"),
            date=text("Date", "In the form 2027-02-26."),
            event=text("Event", "What happens then."),
        ),
        evaluation_criteria=lines("Evaluation criteria", "How proposals are judged, with weights.", 15),
        questions=lines("Questions", "What to ask the client, each about one vague or missing point.", 10),
    ),
    tags=("rfp", "bid"),
)

COMPLIANCE_MATRIX = llm(
    slug="compliance-matrix",
    name="Compliance matrix",
    domain="sales",
    skills=("rfp analysis", "requirements", "proposal"),
    profile="quality",
    description="Answers a list of requirements one by one from what is known of the company, and says openly what is not covered.",
    system="""
        You fill in the compliance matrix of a bid. For each requirement decide from the company profile alone:
        - covered: the profile says so. Response: one sentence that says how, in the profile's words.
        - partly: the profile covers a part of it. Response: what is covered and what is not.
        - open: the profile says nothing about it. Response: "To be confirmed: ..." with what has to be found out.
        A wrong "covered" loses the contract later; when in doubt, write "open". Keep order, ids and number of the requirements.
    """,
    user="""
        Requirements: {{ input.requirements }}

        Company profile: {{ input.company_profile }}
    """,
    inputs=form(
        requirements=objects("Requirements", "Objects with id, text and priority."),
        company_profile=document("Company profile", "What the bidder can do and has done."),
    ),
    outputs=form(
        rows=rows(
            "Matrix",
            "One row a requirement.",
            300,
            (),
            id=text("Number", "The requirement's number."),
            requirement=text("Requirement", "Its text."),
            priority=choice("Priority", "How binding it is.", "must", "should", "could"),
            status=choice("Status", "Whether the company covers it.", "covered", "partly", "open"),
            response=text("Response", "How it is covered, or what is open."),
        ),
    ),
    input_types=("json", "text"),
    tags=("rfp", "bid"),
)

PROPOSAL_WRITER = llm(
    slug="proposal-writer",
    name="Proposal writer",
    domain="sales",
    skills=("writing", "proposal", "rfp"),
    profile="quality",
    temperature=0.4,
    timeout_seconds=300,
    description="Writes the proposal from the analysis, the technical approach, the price and the reviewed risks; takes notes of a reviewer into account.",
    system="""
        You write the main part of a proposal that people who know the subject will read. Be concrete: each claim names the
        requirement it answers or the fact of the company profile it stands on. Do not praise; show. Copy all figures exactly as
        given and compute none. What the profile does not support, offer as a plan, not as experience. When review notes are
        given, follow each of them.

        Write Markdown with exactly these sections, in this order, and no title above them:
        ## Executive summary
        ## Our understanding of the task
        ## Technical approach
        ## Delivery plan
        ## Price
        ## Risks and how we handle them
        ## Assumptions and open questions
        ## About us
    """,
    user="""
        Title: {{ input.title }}

        Client: {{ input.client }}

        Summary: {{ input.summary }}

        Key requirements: {{ input.key_requirements }}

        Approach: {{ input.approach }}

        Deadlines: {{ input.deadlines }}

        Price: {{ input.price }}

        Risks: {{ input.risks }}

        Assumptions: {{ input.assumptions }}

        Questions: {{ input.questions }}

        Company profile: {{ input.company_profile }}

        Review notes: {{ input.review_notes }}
    """,
    inputs=form(
        ("title", "summary"),
        title=text("Title", "What is offered."),
        client=text("Client", "To whom."),
        summary=document("Summary", "What the client wants."),
        key_requirements=objects("Key requirements", "The demands the proposal must speak to."),
        approach=anything("Approach", "Technical approach: text or components."),
        deadlines=objects("Deadlines", "Dates and events."),
        price=document("Price", "Price table or text, copied as it is."),
        risks=objects("Risks", "Risks with what is done about them."),
        assumptions=lines("Assumptions", "What the price stands on.", 60),
        questions=lines("Questions", "What is still to be asked.", 60),
        company_profile=document("Company profile", "What the bidder can do and has done."),
        review_notes=document("Review notes", "What a reviewer wants changed."),
    ),
    outputs=markdown("The proposal."),
    input_types=("json", "text"),
    output_types=("markdown",),
    tags=("rfp", "bid"),
)

SALES_AND_MARKETING = llm(
    slug="sales-and-marketing",
    name="Sales and marketing",
    domain="marketing",
    skills=("campaign", "positioning", "copywriting", "market"),
    description="Turns facts about a product into a message: audiences, benefits with their proof, a short text for each channel, and what must not be claimed.",
    system="""
        You are a marketer who was an engineer before: every claim has a proof in the material. From the brief work out who should
        care and why, which benefits follow from which facts, and short texts for the channels asked for. Name claims that
        the brief invites but does not prove, so that nobody publishes them by mistake.
    """,
    user="""
        Brief: {{ input.brief }}

        Audience: {{ input.audience }}

        Channels: {{ input.channels }}
    """,
    inputs=form(
        ("brief",),
        brief=document("Brief", "Product, facts, aim of the campaign."),
        audience=text("Audience", "Whom to reach, if known."),
        channels=text("Channels", "Where it is published, such as newsletter, LinkedIn.", default="newsletter, web page"),
    ),
    outputs=form(
        summary=text("Core message", "The message in two sentences."),
        audiences=lines("Audiences", "Who should care, and why.", 6),
        benefits=rows("Benefits", "What the product brings, with its proof.", 10, (), title=text("Benefit", "In a few words."), evidence=text("Proof", "The fact in the brief.")),
        copy=text("Copy", "The texts, one section a channel, as Markdown.", contentMediaType="text/markdown"),
        unproven_claims=lines("Not proven", "Claims that the brief does not support.", 10),
    ),
)  # fmt: skip

DEAL_DESK = llm(
    slug="deal-desk",
    name="Deal desk",
    domain="sales",
    skills=("deal", "qualification", "negotiation", "pricing"),
    profile="quality",
    description="Qualifies a deal: need, budget, decision makers, timing, competition; what is missing, what to do next, whether it is worth the effort.",
    system="""
        You qualify deals soberly. From notes and mails take what is known of need, budget, decision makers, timing and competition,
        each with the words it rests on. What is not known is missing information, not a guess. Judge the deal: pursue, clarify first,
        or decline; and say what would change your mind.
    """,
    user="""
        Notes: {{ input.notes }}
    """,
    inputs=form(notes=document("Notes", "Notes of calls, mails, what is known of the deal.")),
    outputs=form(
        summary=SUMMARY,
        verdict=choice("Verdict", "What to do with the deal.", "proceed", "clarify", "decline"),
        reason=text("Reason", "Why, in two sentences."),
        budget=text("Budget", "What is known of it."),
        deadline=text("Timing", "When the decision falls."),
        missing_information=lines("Missing", "What must be found out.", 10),
        next_steps=lines("Next steps", "What to do now, in order.", 8),
    ),
)

ENTRIES = (RFP_ANALYST, COMPLIANCE_MATRIX, PROPOSAL_WRITER, SALES_AND_MARKETING, DEAL_DESK)
