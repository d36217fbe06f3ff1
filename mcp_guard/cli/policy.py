"""`mcp-guard policy`: check, test, explain policy files, print their schema. Reads options, asks `policy`, prints.

How findings look, for people and as JSON, is in `policy_reports`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mcp_guard.cli import checking, impact, suggest
from mcp_guard.cli.checking import CrossCheck, Files
from mcp_guard.cli.house import House
from mcp_guard.cli.options import AsJson
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING, bad_input, print_json, say_note
from mcp_guard.governance.snapshot import AgentStatus, RiskLevel
from mcp_guard.slugs import check_pinned

if TYPE_CHECKING:
    from mcp_guard.policy import Policy
    from mcp_guard.policy.values import Json, OfferKind

app = House(help="Check, test and explain policy files.", no_args_is_help=True)


app.command(epilog=checking.CHECK_EPILOG)(checking.check)
app.command(epilog=checking.COMPLETE_EPILOG)(checking.complete)


@app.command("test", epilog="Example: mcp-guard policy test policy.yaml")
def run_inline_tests(files: Files, cross_check: CrossCheck = False, as_json: AsJson = False) -> None:
    """Run the tests inside policy files. Exits with 1 where one fails."""
    from mcp_guard.cli import policy_reports
    from mcp_guard.cli.policy_sources import load_policy
    from mcp_guard.policy.inline_tests import run_tests

    policy = load_policy(files)
    results = run_tests(policy.tests, policy)
    if cross_check:
        from mcp_guard.policy.cross_check import cross_checked

        results = cross_checked(results, policy)
    policy_reports.print_tests(results, as_json=as_json)
    if not results:
        say_note(f"no tests are in {', '.join(files)}")
    raise SystemExit(EXIT_DONE if all(result.passed for result in results) else EXIT_FINDING)


@app.command(
    epilog="Example: mcp-guard policy explain policy.yaml --agent claude-code --server github "
    '--tool create_pull_request --args \'{"base": "main"}\''
)
def explain(
    files: Files,
    agent: Annotated[str, typer.Option(metavar="SLUG", help="The agent that calls.")],
    server: Annotated[str, typer.Option(metavar="SLUG", help="The server that it calls.")],
    tool: Annotated[str | None, typer.Option(metavar="NAME", help="The tool that it calls.")] = None,
    prompt: Annotated[str | None, typer.Option(metavar="NAME", help="Instead: the prompt that it gets.")] = None,
    resource: Annotated[str | None, typer.Option(metavar="URI", help="Instead: the resource that it reads.")] = None,
    args: Annotated[str, typer.Option(metavar="JSON", help="The arguments, a JSON object.")] = "{}",
    user: Annotated[str, typer.Option(metavar="ID", help="The user whose agent it is.")] = "",
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group of the user; repeatable.")] = None,
    verified: Annotated[bool, typer.Option("--verified", help="Agent and user are vouched for.")] = False,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag of the agent in the registry.")] = None,
    risk: Annotated[RiskLevel, typer.Option(help="Its risk there.")] = "medium",
    status: Annotated[AgentStatus, typer.Option(help="Its status there.")] = "active",
    as_json: AsJson = False,
) -> None:
    """Show what becomes of one call, and each rule's part in it."""
    from mcp_guard.cli import policy_reports
    from mcp_guard.cli.policy_sources import load_policy
    from mcp_guard.policy import Call, Principal

    check_pinned(agent)
    kind, name = _offer((("tool", tool), ("prompt", prompt), ("resource", resource)))
    arguments = _arguments(args)
    if kind == "resource" and arguments:
        bad_input("--args goes with --tool and --prompt", "a resource has no arguments: leave it out")
    policy = load_policy(files)
    principal = Principal(
        agent,
        user,
        tuple(group or ()),
        verified=verified,
        user_verified=verified,
        tags=tuple(tag or ()),
        risk=risk,
        status=status,
    )
    _note_slips(policy, agent=agent, server=server)
    call = Call(principal, server, name, arguments, kind)
    policy_reports.print_explanation(policy, call, as_json=as_json)


@app.command(epilog="Example: mcp-guard policy schema > policy.schema.json")
def schema() -> None:
    """Print the JSON Schema of a policy file, for editors."""
    from mcp_guard.policy.schema import json_schema

    print_json(json_schema())


app.command(epilog=impact.EPILOG)(impact.impact)
app.command(epilog=suggest.EPILOG)(suggest.suggest)


def _offer(given: "Sequence[tuple[OfferKind, str | None]]") -> "tuple[OfferKind, str]":
    """What is asked for: the one of the options that is given."""
    named: list[tuple[OfferKind, str]] = [(kind, name) for kind, name in given if name is not None]
    if len(named) != 1:
        bad_input("--tool, --prompt or --resource must be given, and only one", "say what the agent asks for")
    return named[0]


def _note_slips(policy: "Policy", *, agent: str, server: str) -> None:
    """Tell where the policy speaks of no such agent or server, but of one of nearly that name."""
    from mcp_guard.policy.diagnostics import closest

    declared = policy.declared
    for kind, given, known in (("agent", agent, declared.agents), ("server", server, declared.servers)):
        scopes = (getattr(rule.scope, f"{kind}s") or () for rule in policy.rules)
        spoken_of = {*known, *(name for scope in scopes for name in scope if ":" not in name)}
        if given not in spoken_of and (meant := closest(given, spoken_of)):
            say_note(f"the policy speaks of no {kind} `{given}`: did you mean `{meant}`?")


def _arguments(text: str) -> "dict[str, Json]":
    import msgspec

    try:
        arguments = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        bad_input(f"--args is not JSON: {error}", 'quote it for the shell: --args \'{"path": "a.txt"}\'')
    if not isinstance(arguments, dict):
        bad_input("--args must be a JSON object", 'the arguments by name: --args \'{"path": "a.txt"}\'')
    return cast("dict[str, Json]", arguments)
