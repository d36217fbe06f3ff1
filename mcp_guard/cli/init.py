"""`mcp-guard init`: put guards into the configurations of the clients on this machine, and take them out again.

Reads options, shows what is to become of each file, asks, and leaves the work to `clients`.
"""

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mcp_guard import user_directories
from mcp_guard.cli.agreeing import agreed
from mcp_guard.cli.house import House
from mcp_guard.cli.options import LOG_IS_AT, OWN_POLICY
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING, counted, say_guard_error
from mcp_guard.errors import GuardError

if TYPE_CHECKING:
    from mcp_guard.clients.changing import Change
    from mcp_guard.clients.planning import Wish
    from mcp_guard.clients.values import ConfigFile, Section
    from mcp_guard.clients.wrapping import Launch

app = House()

Mode = Literal["enforce", "observe"]

_EXAMPLES = """Examples:
  mcp-guard init --dry-run
  mcp-guard init --client cursor --server github --policy policy.yaml
  mcp-guard init --mode enforce
  mcp-guard init --undo"""


@app.command(epilog=_EXAMPLES)
def init(
    client: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This client only; repeatable.")] = None,
    server: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This server only; repeatable.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="`user`, `project` or `local` configurations only; repeatable."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help=f"The policy; several make one list of rules. {OWN_POLICY}, made if it is not there."
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="Default: `observe` with the starter policy, else `enforce`. Also changes guards."),
    ] = None,
    db: Annotated[str | None, typer.Option(metavar="FILE", help=f"The audit log. {LOG_IS_AT}")] = None,
    one: Annotated[bool, typer.Option("--one", help="One guard for all servers of a file, not one each.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take out what `init` put in.")] = False,
) -> None:
    """Put a guard in front of the servers of the clients on this machine: Claude Code, Cursor, VS Code and others."""
    from mcp_guard.clients import known

    _check("--client", client, known.CLIENTS)
    _check("--scope", scope, ("user", "project", "local"))
    found = known.files(known.surroundings(), client or ())
    if undo:
        from mcp_guard.cli.undoing import undo_all

        raise SystemExit(undo_all(found, client or (), dry_run=dry_run, yes=yes))
    wish = _wish(client, server, scope, policy, mode, db, one=one)
    observes = _mode(policy, mode) == "observe"
    raise SystemExit(
        _init(found, wish, policy, narrowed=bool(server or scope), observes=observes, dry_run=dry_run, yes=yes)
    )


def _check(option: str, given: list[str] | None, known: Collection[str]) -> None:
    from mcp_guard.policy.diagnostics import suggestion

    for one in given or ():
        if one not in known:
            raise GuardError(
                f"{option}: {one!r} is not known", suggestion(one, known) or f"it is one of {', '.join(known)}"
            )


def _wish(
    client: list[str] | None,
    server: list[str] | None,
    scope: list[str] | None,
    policy: list[str] | None,
    mode: Mode | None,
    db: str | None,
    *,
    one: bool,
) -> "Wish":
    from mcp_guard.cli.own_command import own_command
    from mcp_guard.clients.planning import Wish

    program = own_command()
    files = [os.path.abspath(path) for path in policy or ()] or [user_directories.policy()]
    _read_policy(files if policy or os.path.exists(user_directories.policy()) else [])
    options = [word for path in files for word in ("--policy", path)]
    options += ["--mode", _mode(policy, mode)]
    if (path := _database(db)) is not None:
        options += ["--db", path]

    def launch(file: "ConfigFile") -> "Launch":
        from mcp_guard.clients.known import CLIENTS
        from mcp_guard.clients.wrapping import Launch

        agent = ("--agent", file.client) if CLIENTS[file.client].alone(file) else ()
        return Launch(program, (*agent, *options))

    return Wish(
        launch,
        lambda at, name: (not scope or at in scope) and (not server or name in server),
        _guard_path if one else None,
        mode,
    )


def _mode(policy: list[str] | None, mode: Mode | None) -> Mode:
    """The starter policy knows nothing of the servers yet: with it, nothing is stopped before a person says so."""
    return mode or ("enforce" if policy else "observe")


def _read_policy(paths: list[str]) -> None:
    """Raise GuardError for a policy that a guard would refuse: every server behind it would fail to start."""
    if paths:
        from mcp_guard.cli.guard import load_policy
        from mcp_guard.cli.policy_files import PolicyFiles

        load_policy(PolicyFiles(paths).read())


def _database(given: str | None) -> str | None:
    """The audit log, where a guard that a client starts, with few variables, would not find the same by itself."""
    from mcp_guard.store.files import refuse_unusable
    from mcp_guard.store.location import VARIABLE, default_database

    if given is not None:
        refuse_unusable(given)
        return os.path.abspath(given)
    named = os.environ.get(VARIABLE) or os.environ.get("XDG_DATA_HOME")
    return os.path.abspath(default_database()) if named else None


def _guard_path(file: "ConfigFile", section: "Section") -> str:
    """The guard.yaml for a section: among the user's own files, since it may hold secrets."""
    from hashlib import sha256

    key = sha256("\0".join((os.path.realpath(file.path), *section.at)).encode()).hexdigest()[:8]
    return os.path.join(os.path.dirname(user_directories.policy()), f"{file.client}-{section.scope}-{key}.yaml")


def _init(
    files: "list[ConfigFile]",
    wish: "Wish",
    policy: list[str] | None,
    *,
    narrowed: bool,
    observes: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    from mcp_guard.cli.init_report import print_changes, print_next

    changes, broken = _prepared(files, wish)
    print_changes(changes, narrowed=narrowed)
    status = EXIT_FINDING if broken else EXIT_DONE
    needed = [change for change in changes if change.is_needed]
    if not needed or dry_run or not agreed(f"Change {counted(len(needed), 'file')}?", yes=yes):
        return status
    if not policy and not os.path.exists(user_directories.policy()):
        _write_starter(user_directories.policy())
    done = [change for change in needed if _carried_out(change)]
    if done:
        print_next(done, policy[0] if policy else user_directories.policy(), observes=observes)
    return status if len(done) == len(needed) else EXIT_FINDING


def _prepared(files: "list[ConfigFile]", wish: "Wish") -> "tuple[list[Change], bool]":
    from mcp_guard.clients.changing import prepare

    changes: list[Change] = []
    for file in files:
        try:
            changes.append(prepare(file, wish))
        except GuardError as error:
            say_guard_error(error)
    return changes, len(changes) < len(files)


def _carried_out(change: "Change") -> bool:
    from mcp_guard.clients.changing import carry_out

    try:
        carry_out(change)
    except GuardError as error:
        say_guard_error(error)
        return False
    return True


def _write_starter(path: str) -> None:
    from importlib.resources import files as resources

    from mcp_guard.clients.files import create

    create(path, (resources("mcp_guard.clients") / "starter.yaml").read_bytes())
