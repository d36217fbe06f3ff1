"""What a person sees of each lint: golden/CODE.txt. `python -m tests.policy.lints.golden` writes what is found now."""

import pytest

from mcp_guard.policy.codes import WARNINGS
from tests.policy.lints.golden import HERE, Case, cases, findings

FILES = sorted(HERE.glob("*.txt"))
CASES = [pytest.param(case, id=f"{path.stem}: {case.title}") for path in FILES for case in cases(path)]
ELSEWHERE = {
    *("cross-check", "no-rules", "truth-word", "unknown-agent", "unknown-server", "unknown-tag"),
    *("star-in-host", "uneven-uri"),
}
"""Found when a policy is loaded, and tested there."""


@pytest.mark.parametrize("case", CASES)
def test_a_lint_says(case: Case) -> None:
    assert findings(case) == case.found


def test_every_lint_has_cases_that_it_finds_and_cases_that_it_leaves_alone() -> None:
    for code in WARNINGS.keys() - ELSEWHERE:
        found = [case.found for case in cases(HERE / f"{code}.txt")]
        assert any(f"warning[{code}]" in one for one in found), code
        assert any(one == "nothing\n" for one in found), code
