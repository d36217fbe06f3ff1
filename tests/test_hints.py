"""How to mend an error is said in one style, wherever it is raised: as what stands after `hint: `."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "mcp_guard"
SPOKEN = ("GuardError", "StoreError", "UpstreamError", "LoginError", "SurveyError", "NotFoundError", "InvalidError")


def hints() -> Iterator[tuple[str, str]]:
    """Where a hint is given, and what it says; what stands for a value in it is left out."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(node, "func", None), "id", "")
            if isinstance(node, ast.Call) and name in (*SPOKEN, "bad_input") and len(node.args) > 1:
                texts = [one.value for one in ast.walk(node.args[1]) if isinstance(one, ast.Constant)]
                hint = "".join(text for text in texts if isinstance(text, str))
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", hint


def wrong(hint: str) -> bool:
    """Whether it is written as a sentence of its own."""
    return (hint[:1].isupper() and hint[1:2].islower()) or hint.endswith(".")


def test_hints_begin_small_and_have_no_full_stop() -> None:
    found = list(hints())
    assert len(found) > 100
    assert [(at, hint) for at, hint in found if wrong(hint)] == []
