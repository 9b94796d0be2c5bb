"""Everything that can be set or called is written down, and what is written down exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("portal", "agents", "orchestration", "approvals")
DOCS = sorted((ROOT / "docs").rglob("*.md"))
WRITTEN = "\n".join(page.read_text() for page in [ROOT / "README.md", *DOCS])
# Set by the code or the tests for themselves, or not ours.
INTERNAL = {"TESTING", "Q_CLUSTER_NAME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"}
READ = re.compile(r"(?:env\.(?:text|integer|boolean|words|choice)\(|os\.environ\.get\()\s*\"([A-Z_]+)\"")


def sources() -> list[Path]:
    return [path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]


def test_each_variable_is_in_the_table_of_operations() -> None:
    names = {name for path in sources() for name in READ.findall(path.read_text())} - INTERNAL
    table = (ROOT / "docs" / "operations.md").read_text()
    assert not {name for name in names if f"`{name}`" not in table}


def test_each_variable_of_the_table_is_read() -> None:
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
    names = {name for path in sources() for name in re.findall(r"\"([A-Z_]{3,})\"", path.read_text())}
    assert not table - names


def test_each_command_is_written_down() -> None:
    commands = {
        path.stem for app in APPS for path in (ROOT / app).rglob("management/commands/*.py") if path.stem != "__init__"
    }
    assert not {name for name in commands if not re.search(rf"(manage\.py|ensemble) {name}\b", WRITTEN)}


def test_each_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {str(page.relative_to(ROOT / "docs")) for page in DOCS} - {"README.md"}
    assert not {page for page in pages if f"({page})" not in index}


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]
