"""What a person sees of a faulty policy: golden/X.yaml gives golden/X.txt. `UPDATE_GOLDEN=1 pytest` writes them."""

import os
import re
from pathlib import Path

import pytest

from mcp_guard.policy import Diagnostic, Place, PolicyError, Source, load, render
from mcp_guard.policy.codes import WARNINGS
from tests.policy.making import briefly, findings, source

HERE = Path(__file__).parent / "golden"
PACKAGE = Path(__file__).parents[2] / "mcp_guard" / "policy"
DOCUMENTED = Path(__file__).parents[2] / "docs" / "policy.md"


@pytest.mark.parametrize("path", sorted(HERE.glob("*.yaml")) + sorted(HERE.glob("*.json")), ids=lambda path: path.name)
def test_a_faulty_policy_is_explained(path: Path) -> None:
    shown = render(findings(path.read_bytes(), path.name)) + "\n"
    expected = path.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(shown)
    assert shown == expected.read_text()


def codes_in_the_code() -> set[str]:
    texts = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    made = re.findall(
        r'(?:error|warning|unreadable|_whole_file|Fault|Diagnostic)\(\s*(?:source, |"error", |"warning", )?"([a-z-]+)"',
        texts,
    )
    return {*made, "unknown-agent", "unknown-server", "unknown-tag"} - {"error", "warning"}


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    section = DOCUMENTED.read_text().split("## Findings")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))
    assert documented == codes_in_the_code()


def test_the_documentation_says_of_each_warning_what_the_table_of_codes_says() -> None:
    warnings = DOCUMENTED.read_text().split("| warning | means |")[1].split("\n\n")[0]
    documented = re.findall(r"^\| `([a-z-]+)` \| (.+?) \|", warnings, re.MULTILINE)
    assert documented == [(code, warning.means) for code, warning in WARNINGS.items()]


def test_a_refused_policy_names_the_first_error_and_counts_the_rest() -> None:
    with pytest.raises(PolicyError) as refused:
        load([source("version: 1\nrules: [{effect: deny}, {name: a, efect: deny}]")])
    error = refused.value
    assert error.message.startswith("policy.yaml:2:9: error[missing-field]: a rule needs")
    assert error.message.endswith("(and 1 more)")
    assert error.report == render(error.diagnostics)


def test_findings_of_several_files_come_in_the_order_of_the_files() -> None:
    with pytest.raises(PolicyError) as refused:
        load([source("version: 1\nrulez: []", "b.yaml"), source("[", "a.yaml"), source("version: 3", "c.yaml")])
    assert [found.place.path for found in refused.value.diagnostics] == ["b.yaml", "a.yaml", "c.yaml"]


def test_an_error_names_the_file_of_the_other_rule() -> None:
    text = "version: 1\nrules: [{id: same, effect: deny}]"
    with pytest.raises(PolicyError, match=r"b.yaml:2:14: error\[duplicate-id\]: the rule at a.yaml:2 has the id"):
        load([source(text, "a.yaml"), source(text, "b.yaml")])


def test_settings_may_not_disagree() -> None:
    texts = [f"version: 1\nsettings: {{audit_arguments: {value}}}" for value in ("full", "none")]
    with pytest.raises(PolicyError, match=r"b.yaml:2:29: error\[conflicting-setting\]"):
        load([source(texts[0], "a.yaml"), source(texts[1], "b.yaml")])


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    shown = render(findings('version: 1\n"a\\e[2Jb": "x\x7f"\nname: "\u202eevil"\n'))
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_many_findings_are_cut() -> None:
    place = Place("p.yaml", 1, 1)
    shown = render([Diagnostic("error", "syntax", "x", place)] * 70)
    assert shown.count("error[syntax]") == 50
    assert shown.endswith("… and 20 more")


def test_a_place_at_the_end_of_the_file_is_shown() -> None:
    assert "1:9: error[syntax]" in render(findings("rules: [", "p.yaml"))
    assert load([Source("p.yaml", b"version: 1\nrules: [{id: a, effect: deny}]")]).warnings == ()


AGENT_TAGS = [
    ("tag:trusted", []),
    ("tag:trused", ["5:36 unknown-tag"]),  # much like one that the policy gives
    ("tag:fleet", []),  # the registry may give it
]


@pytest.mark.parametrize(("tag", "found"), AGENT_TAGS)
def test_a_tag_that_the_registry_may_give_to_an_agent_is_no_slip(tag: str, found: list[str]) -> None:
    given = "version: 1\nagents:\n  cursor: {tags: [trusted]}\nrules:\n"
    assert briefly(f'{given}  - {{id: a, effect: allow, agents: "{tag}"}}\n') == found
