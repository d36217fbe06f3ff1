"""`mcp-guard explain CODE`: what a finding about a policy means, why it matters, how to mend it."""

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from mcp_guard.cli.house import House
from mcp_guard.cli.options import AsJson
from mcp_guard.cli.output import bad_input, console, print_json

app = House()


@app.command(epilog="Example: mcp-guard explain optional-argument")
def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="The code of an error or warning; a list of all if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a code of `policy check`: what it means, why it matters, how to mend it."""
    from mcp_guard.pages import pages
    from mcp_guard.policy.codes import WARNINGS
    from mcp_guard.policy.diagnostics import closest

    known = pages()
    if code is None:
        _print_all(known, as_json=as_json)
        return
    wanted = code.strip("[]")
    if wanted not in known:
        near = closest(wanted, known)
        hint = f"did you mean `{near}`?" if near else "`mcp-guard explain` lists all"
        bad_input(f"no finding has the code `{wanted}`", hint)
    severity = "warning" if wanted in WARNINGS else "error"
    if as_json:
        print_json({"code": wanted, "severity": severity, "text": known[wanted]})
    else:
        _print_page(f"{severity}[{wanted}]", known[wanted])


def _print_page(title: str, text: str) -> None:
    """A page: laid out on a terminal, as it is written where it is piped."""
    if not sys.stdout.isatty():
        sys.stdout.write(f"{title}\n\n{text}\n")
        return
    from rich.markdown import Markdown

    out = console()
    out.print(title, style="bold", markup=False)
    out.print()
    out.print(Markdown(text, code_theme="ansi_light"))


def _print_all(known: Mapping[str, str], *, as_json: bool) -> None:
    """A line for each code."""
    from mcp_guard.cli.columns import Columns
    from mcp_guard.policy.codes import WARNINGS

    rows = [
        ("warning", code, WARNINGS[code].means) if code in WARNINGS else ("error", code, _first(text))
        for code, text in known.items()
    ]
    if as_json:
        print_json([{"severity": severity, "code": code, "means": means} for severity, code, means in rows])
    else:
        Columns(("", "CODE", "MEANS"), rows)


def _first(text: str) -> str:
    """The first sentence of a page."""
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
