"""Rules that every template keeps: icons exist, nothing the CSP would refuse, components render without data."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Engine, Template
from django.test import RequestFactory

from agents.kinds.base import agent_kinds
from orchestration.nodes.base import node_types
from portal.core.ui import icons, statuses

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
ICON = re.compile(r"""{%\s*icon\s+"([a-z0-9-]+)"|\bicon="([a-z0-9-]+)\"""")


def names(path: Path) -> list[str]:
    return [first or second for first, second in ICON.findall(path.read_text())]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_icon_exists(path: Path) -> None:
    missing = [name for name in names(path) if icons.shapes(name) == icons.UNKNOWN]
    assert not missing, f"add to static/package.json: {missing}"


def test_every_state_has_an_icon() -> None:
    assert not [look.icon for look in statuses.LOOKS.values() if icons.shapes(look.icon) == icons.UNKNOWN]


def test_every_node_type_and_kind_of_agent_has_an_icon() -> None:
    wanted = [kind.icon for kind in [*node_types().values(), *agent_kinds().values()]]
    assert not [name for name in wanted if icons.shapes(name) == icons.UNKNOWN]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_the_content_security_policy_refuses(path: Path) -> None:
    text = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"""<[^>]*\sstyle=["']""", text), "inline style attribute"
    assert not re.search(r"""<[^>]*\s(on[a-z]+|hx-on[:\w-]*)=["']""", text), "inline handler"
    assert not re.search(r"<script(?![^>]*(src|nonce)=)", text), "script without a nonce"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_template_parses(path: Path) -> None:
    Engine.get_default().get_template(str(path.relative_to(ROOT / "templates")))


def test_the_lock_names_no_registry_and_every_vendored_file_comes_from_a_locked_package() -> None:
    package = json.loads((ROOT / "static/package.json").read_text())
    lock = json.loads((ROOT / "static/package-lock.json").read_text())
    assert "resolved" not in (ROOT / "static/package-lock.json").read_text()
    locked = {name.removeprefix("node_modules/") for name in lock["packages"] if name}
    for source in package["vendor"]:
        assert any(source.startswith(f"{name}/") for name in locked), source


def test_components_render_with_their_least_arguments() -> None:
    source = """
      {% button "Go" %}{% badge "x" %}{% avatar "" %}{% copy_button "" %}{% progress None %}{% kbd "g r" %}{% code "" %}
      {% json_view None %}{{ None|ago }}{{ None|moment }}{{ None|duration }}{{ None|money }}{{ None|model_markdown }}
      {% empty_state "Nothing" %}{% stat "Runs" 0 %}{% card %}{% endcard %}{% dialog "a" "A" %}{% enddialog %}
      {% menu "M" %}{% endmenu %}{% callout %}{% endcallout %}{% filters "#x" %}{% endfilters %}{% page_url page=2 %}
      {% tab "T" "/" %}{% sort_header "name" "Name" %}{% status_badge "odd_state" %}{% import_map %}{% theme %}
    """
    request = RequestFactory().get("/list/", {"q": "a b", "page": "3"})
    html = Template(source).render(Context({"request": request}))
    assert "?q=a+b&amp;page=2" in html
    assert "Odd state" in html


def test_a_cookie_cannot_write_into_the_page() -> None:
    request = RequestFactory().get("/")
    request.COOKIES["theme"] = '"><script>'
    assert Template("{% theme %}").render(Context({"request": request})) == "system"
