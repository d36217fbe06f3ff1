"""`mcp-guard policy check` and `policy complete`: what is wrong with a policy, which arguments rules can ask for."""

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mcp_guard.cli.catalogs import CatalogFiles, Database, NoCatalog, catalog_for
from mcp_guard.cli.options import AsJson
from mcp_guard.cli.output import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FINDING, bad_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_guard.policy import Diagnostic, Policy, Source
    from mcp_guard.policy.catalog import Catalog
    from mcp_guard.policy.lints.subjects import Subject

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Policy files; several make one list of rules.")]
CrossCheck = Annotated[bool, typer.Option("--cross-check", help="Ask a second, independent CEL engine too.")]

CHECK_EPILOG = "Example: mcp-guard policy check policy.yaml"
COMPLETE_EPILOG = "Example: mcp-guard policy complete policy.yaml --rule protect-main"


def check(
    files: Files,
    catalog: CatalogFiles = None,
    db: Database = None,
    no_catalog: NoCatalog = False,
    cross_check: CrossCheck = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there are only warnings, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong with a policy, and what is probably not meant.

    Exits with 2 on any error, 1 on a disagreement of engines, else 0.
    """
    from mcp_guard.cli import policy_reports
    from mcp_guard.cli.policy_sources import read_sources
    from mcp_guard.policy import PolicyError
    from mcp_guard.policy.lints import examine

    sources, known = read_sources(files), catalog_for(catalog, db, none=no_catalog)
    try:
        examined = examine(sources, known)
    except PolicyError as error:
        policy_reports.print_check(error.diagnostics, None, as_json=as_json)
        raise SystemExit(EXIT_BAD_INPUT) from None
    doubts = _second_opinion(examined.policy) if cross_check else ()
    found = (*examined.findings, *doubts)
    policy_reports.print_check(found, examined.policy, known, as_json=as_json)
    raise SystemExit(EXIT_FINDING if doubts or (strict and found) else EXIT_DONE)


def complete(
    files: Files,
    rule: Annotated[str, typer.Option(metavar="ID", help="The rule whose condition is being written.")],
    catalog: CatalogFiles = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the fields of `request.args` that a rule can ask for: type, coverage, and what each server says of them."""
    from mcp_guard.cli.field_reports import print_fields, print_json_fields
    from mcp_guard.cli.policy_sources import read_sources
    from mcp_guard.policy.fields import fields

    known = catalog_for(catalog, db)
    subject = _subject(rule, read_sources(files), known)
    found = fields(subject.matches)
    if as_json:
        print_json_fields(subject, found)
    else:
        print_fields(subject, found, known)
    raise SystemExit(EXIT_DONE)


def _subject(rule: str, sources: "Sequence[Source]", known: "Catalog | None") -> "Subject":
    from mcp_guard.policy import PolicyError
    from mcp_guard.policy.catalog import Catalog
    from mcp_guard.policy.lints import examine

    try:
        examined = examine(sources, known or Catalog())
    except PolicyError:
        unfinished = _in_the_making(rule, sources, known)
        if unfinished is None:
            raise
        return unfinished
    found = next((one for one in examined.subjects if one.rule.id == rule), None)
    return found or _in_the_making(rule, sources, known) or _no_such_rule(rule, examined.policy)


def _in_the_making(rule: str, sources: "Sequence[Source]", known: "Catalog | None") -> "Subject | None":
    """The rule as it stands, be it a draft, or one whose condition ends after `request.args.`."""
    from mcp_guard.editor.draft import Draft

    drafts = (Draft(source.path, source.text.decode("utf-8", "replace"), known) for source in sources)
    return next((one for draft in drafts for one in draft.subjects if one.rule.id == rule), None)


def _no_such_rule(rule: str, policy: "Policy") -> NoReturn:
    from mcp_guard.policy.diagnostics import suggestion

    bad_input(f"no rule has the id `{rule}`", suggestion(rule, {one.id for one in policy.rules}))


def _second_opinion(policy: "Policy") -> "tuple[Diagnostic, ...]":
    from mcp_guard.policy.cross_check import cross_check_syntax

    return cross_check_syntax(policy)
