"""The pages behind the codes: one for each, and the same in the documentation."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.cel.types import Type
from mcp_guard.pages import pages
from mcp_guard.policy.codes import WARNINGS
from mcp_guard.policy.conditions import VARIABLES
from mcp_guard.policy.schema import json_schema

ROOT = Path(__file__).parents[1]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    section = (ROOT / "docs" / "policy.md").read_text().split("## Findings")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))
    assert set(pages()) == documented
    assert [code for code in pages() if code in WARNINGS] == list(WARNINGS)


def test_the_documentation_has_the_pages_of_all_warnings() -> None:
    text = (ROOT / "mcp_guard" / "pages" / "warnings.md").read_text()
    assert (ROOT / "docs" / "lints.md").read_text().endswith(text)


def test_a_page_says_how_to_mend_it() -> None:
    for code in WARNINGS.keys() - {"cross-check", "no-rules"}:
        assert "**Mend it.**" in pages()[code], code


def test_the_published_schema_is_that_of_the_program() -> None:
    """`mcp-guard policy schema > docs/policy.schema.json` writes it."""
    assert json.loads((ROOT / "docs" / "policy.schema.json").read_text()) == json.loads(json.dumps(json_schema()))


def test_the_documentation_names_every_key_of_a_policy() -> None:
    text = (ROOT / "docs" / "policy.md").read_text().split("## The file")[1]
    named = set(re.findall(r"`([a-z_]+)`|\b([a-z]+):", text))
    schema = json_schema()
    sections: dict[str, dict[str, object]] = {"": schema, **schema["$defs"]}  # pyright: ignore
    keys = {key for section in sections.values() for key in section["properties"]}  # pyright: ignore
    assert keys - {one for pair in named for one in pair} == set()


def fields(prefix: str, kind: Type) -> Iterator[str]:
    """The paths that a condition may read, to the leaves."""
    if not kind.fields:
        yield prefix
    for name, inner in (kind.fields or {}).items():
        yield from fields(f"{prefix}.{name}", inner)


@pytest.mark.parametrize("page", ["policy.md", "conditions.md"])
def test_the_documentation_names_every_variable_of_a_condition(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    variables = {path for name, kind in VARIABLES.items() for path in fields(name, kind)}
    assert {path for path in variables if f"`{path}`" not in text} == set()


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("benchmarks/*.md")]


def anchors(page: Path) -> set[str]:
    """What a link can lead to within a page: its headings, as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"\]\([^)]*\)|[`*\[]", "", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
