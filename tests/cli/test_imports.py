"""What others' modules cost a start: their regular expressions wait until somebody uses them."""

import gc
import re
import subprocess
import sys

import pytest

from mcp_guard import __main__ as way_in
from mcp_guard.cli import app, imports, switched

USES = [
    (lambda pattern: pattern.match("12 ab").group(), "12"),
    (lambda pattern: pattern.sub("#", "1 22"), "# #"),
    (lambda pattern: pattern.split("a1b2c"), ["a", "b", "c"]),
    (lambda pattern: pattern.pattern, r"\d+"),
    (lambda pattern: bool(pattern.flags & re.ASCII), True),
]


@pytest.mark.parametrize(("use", "found"), USES)
def test_a_pattern_that_was_compiled_later_is_what_it_would_have_been(use, found):
    with imports.patterns_later():
        later = re.compile(r"\d+", re.ASCII)
    assert use(later) == use(re.compile(r"\d+", re.ASCII)) == found


def test_a_module_may_use_its_pattern_while_it_is_imported():
    with imports.patterns_later():
        assert re.compile("a+").match("aab").group() == "aa"


def test_what_is_imported_afterwards_compiles_its_patterns_as_ever():
    with pytest.raises(ImportError), imports.patterns_later():
        raise ImportError
    assert isinstance(re.compile("a"), re.Pattern)


YAML = """
import sys
from mcp_guard.cli import imports
imports.msgspec_alone()
imports.yaml()
assert "yaml" in sys.modules and "typing_extensions" not in sys.modules
import platform, textwrap, yaml
text = "{day: 2026-03-14, number: 0x1f, on: yes, text: 'a\\\\u0020b', moment: 2001-12-14 21:59:43.10 -5}"
print(yaml.safe_load(text), yaml.safe_dump({"a": "1", "b": None}), textwrap.wrap("one two", 4), platform.release())
"""


def test_libraries_that_were_imported_so_work_as_ever():
    plain = YAML.replace("imports.msgspec_alone()", "import msgspec").replace("imports.yaml()", "import yaml")
    plain = plain.replace(' and "typing_extensions" not in sys.modules', "")
    said = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60).stdout
        for program in (YAML, plain)
    ]
    assert said[0] == said[1] != ""


RUNS = {
    "a remote server": (["run", "--url", "https://example.com/mcp"], switched, "guard_remote"),
    "a configuration": (["run", "--config", "guard.yaml"], switched, "guard_many"),
    "what is no plain run": (["run", "--help"], app, "main"),
}


@pytest.mark.parametrize(("words", "room", "name"), RUNS.values(), ids=RUNS.keys())
def test_whatever_else_runs_has_its_garbage_collected(words, room, name, monkeypatch: pytest.MonkeyPatch):
    collected = []
    monkeypatch.setattr(room, name, lambda _: collected.append(gc.isenabled()))
    monkeypatch.setattr(sys, "argv", ["mcp-guard", *words])
    try:
        way_in.main()
    except SystemExit:
        pass
    finally:
        gc.enable()
    assert collected == [True]
