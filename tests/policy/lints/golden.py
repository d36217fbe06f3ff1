"""The golden files: cases of one lint each, as a person reads them. `python -m tests.policy.lints.golden` writes them.

A case is a title, rules, and what is found: with the catalog beside it, or without one where the title says so.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mcp_guard.policy import PolicyError, Source, render
from mcp_guard.policy.catalog import Catalog, decode
from mcp_guard.policy.lints import examine

HERE = Path(__file__).parent / "golden"
CATALOG = decode((HERE / "catalog.json").read_bytes(), path="catalog.json", server="")
TITLE, FOUND = "=== ", "--- found\n"


class Case(NamedTuple):
    title: str
    rules: str
    found: str


def cases(path: Path) -> Iterator[Case]:
    """The cases of one file."""
    for section in re.split(rf"^{TITLE}", path.read_text(), flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("\n")
        rules, _, found = rest.partition(FOUND)
        yield Case(title, rules, found.rstrip("\n") + "\n")


def findings(case: Case) -> str:
    """What is found, as `policy check` shows it. Lines count in the rules of the case."""
    catalog: Catalog | None = None if "without a catalog" in case.title else CATALOG
    text = "version: 1\n" + case.rules if "rules:" in case.rules else "{version: 1, rules: [\n" + case.rules + "]}"
    try:
        found = examine([Source("policy.yaml", text.encode())], catalog).findings
    except PolicyError as error:
        found = error.diagnostics
    return render(found) + "\n" if found else "nothing\n"


if __name__ == "__main__":
    for golden in sorted(HERE.glob("*.txt")):
        written = [f"{TITLE}{one.title}\n{one.rules}{FOUND}{findings(one)}\n" for one in cases(golden)]
        golden.write_text("".join(written))
