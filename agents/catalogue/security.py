"""Agents of security and moderation."""

from agents.catalogue.engineering import DIFF_INPUT, DIFF_USER, REVIEW_OUTPUT, REVIEW_RULES
from agents.catalogue.entries import (
    SEVERITY,
    SUMMARY,
    choice,
    document,
    form,
    lines,
    llm,
    number,
    rows,
    text,
)

SECURITY_AUDITOR = llm(
    slug="security-auditor",
    name="Security auditor",
    domain="security",
    skills=("security", "code review", "vulnerability"),
    profile="code",
    description="Reviews a diff for vulnerabilities: injection, secrets, missing checks of rights, unsafe parsing, weak cryptography, leaks.",
    system=f"""
        You are the security reviewer of a team. Look for injection (SQL, shell, HTML, paths, templates), secrets in the source, missing or wrong checks of
        rights (may this user see this row?), unsafe parsing, weak cryptography and random numbers, switched-off protections (TLS, CSRF, escaping), data
        that leaks into logs or answers, and redirects. Name for each who could do what with it. Think of the
        OWASP ASVS; name no number unless you are sure.
        {REVIEW_RULES}
    """,
    user=DIFF_USER,
    inputs=DIFF_INPUT,
    outputs=REVIEW_OUTPUT,
    input_types=("diff",),
    tags=("review",),
)

_FIXES = form(
    summary=SUMMARY,
    findings=rows(
        "Weak points",
        "The gravest first.",
        40,
        ("title", "severity", "detail", "suggestion"),
        title=text("Weak point", "In a few words."),
        severity=choice("Severity", "How grave.", *SEVERITY),
        file=text("Where", "File or place."),
        detail=text("What can happen", "Who could do what."),
        suggestion=text("Repair", "With the code to write."),
    ),
    checklist=lines("Checks", "How to test that it is repaired.", 15),
)

BACKEND_SECURITY_CODER = llm(
    slug="backend-security-coder",
    name="Backend security coder",
    domain="security",
    skills=("security", "backend", "code"),
    profile="code",
    description="Finds weak points of server code and writes the repair: parameters, rights, validation, secrets, time limits.",
    system="""
        You repair server code. For each security weak point say what an attacker could do, write the repaired code in the language and style of the
        material, and the test that fails before and passes after. Prefer what the framework brings over own inventions. If a repair changes
        behaviour for users, say so.
    """,
    user="""
        Code: {{ input.code }}

        Framework: {{ input.framework }}
    """,
    inputs=form(
        ("code",),
        code=document("Code", "Server code or a diff."),
        framework=text("Framework", "Language and framework."),
    ),
    outputs=_FIXES,
    input_types=("diff", "code"),
)

FRONTEND_SECURITY_CODER = llm(
    slug="frontend-security-coder",
    name="Frontend security coder",
    domain="security",
    skills=("security", "frontend", "code"),
    profile="code",
    description="Finds weak points of browser code and writes the repair: XSS, CSP, tokens in storage, messages between windows.",
    system="""
        You repair browser code. Look for security holes: text of users that becomes HTML, script or address; tokens where scripts can read them; messages between
        windows without a check of origin; third-party scripts; what a strict Content-Security-Policy would forbid. Write the repaired code and
        how to try that the hole is closed.
    """,
    user="""
        Code: {{ input.code }}

        Policy in force: {{ input.policy }}
    """,
    inputs=form(
        ("code",),
        code=document("Code", "Browser code, templates or a diff."),
        policy=text("Policy", "Content-Security-Policy in force, if any."),
    ),
    outputs=_FIXES,
    input_types=("diff", "code"),
)

CONTENT_MODERATOR = llm(
    slug="content-moderator",
    name="Content moderator",
    domain="quality",
    skills=("moderation", "classification", "toxicity"),
    profile="fast",
    temperature=0.0,
    timeout_seconds=60,
    description="Judges one comment by a policy: category, what to do (allow, review by a person, remove), how sure, and the words that decide.",
    system="""
        You moderate comments under the articles of a shop and magazine. Judge the text as it stands, not the opinion in it: disagreement,
        disappointment and coarse words about a product are allowed; attacks on people, groups and their safety are not.

        Categories: ok; spam (advertising, scams); harassment (insults, bullying of a person); hate (attacks on a group); threat (announces or
        wishes harm); sexual; self_harm (speaks of harming oneself); personal_data (private data of a person); misinformation (harmful claims without proof).
        Action: "allow" when nothing is wrong; "remove" when it clearly breaks the policy; "review" when a reasonable person could see it
        either way, when it may be a joke or a quotation, always for self_harm, and for misinformation that is not plainly dangerous.
        Confidence is how sure you are of the category. Reason: one sentence that quotes the words that decide.
    """,
    user="""
        Comment: {{ input.comment }}

        Policy: {{ input.policy }}
    """,
    inputs=form(
        ("comment",),
        comment=document("Comment", "The text to judge.", minLength=1),
        policy=document("Policy", "House rules that go beyond the usual."),
    ),
    outputs=form(
        category=choice(
            "Category", "What is wrong with it.",
            "ok", "spam", "harassment", "hate", "threat", "sexual", "self_harm", "personal_data", "misinformation",
        ),
        action=choice("Action", "What to do with it.", "allow", "review", "remove"),
        confidence=number("Confidence", "How sure, from 0 to 1.", minimum=0, maximum=1),
        reason=text("Reason", "One sentence with the words that decide."),
    ),
    tags=("moderation",),
)  # fmt: skip

COMPLIANCE_CHECKER = llm(
    slug="compliance-checker",
    name="Compliance checker",
    domain="legal",
    skills=("compliance", "policy", "audit"),
    profile="quality",
    description="Checks a document or process against a set of rules, rule by rule, with the evidence.",
    system="""
        You check against rules. For every rule of the rule book: covered (quote the words that show it), partly (what is missing), or open (nothing in the
        material). Do not judge what no rule asks for. Recommend what closes the gaps, the gravest first.
    """,
    user="""
        Rules: {{ input.rules }}

        Material: {{ input.material }}
    """,
    inputs=form(rules=document("Rules", "The rules, one a line."), material=document("Material", "What is checked.")),
    outputs=form(
        summary=SUMMARY,
        requirements=rows("Rules", "Rule by rule.", 100, (), id=text("Rule", "Its number."), text=text("Text", "What it demands."), status=choice("Status", "Whether it is kept.", "covered", "partly", "open"), response=text("Evidence", "Quoted, or what is missing.")),
        actions=lines("Actions", "What closes the gaps.", 15),
    ),
)  # fmt: skip

ENTRIES = (SECURITY_AUDITOR, BACKEND_SECURITY_CODER, FRONTEND_SECURITY_CODER, CONTENT_MODERATOR, COMPLIANCE_CHECKER)
