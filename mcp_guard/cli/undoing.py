"""`mcp-guard init --undo`: every file that `init` changed gets back what stood there."""

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from mcp_guard.cli.agreeing import agreed
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING, console, say_guard_error, short
from mcp_guard.clients import changing, records
from mcp_guard.clients.known import CLIENTS
from mcp_guard.errors import GuardError

if TYPE_CHECKING:
    from mcp_guard.clients.values import ConfigFile


def undo_all(found: "Sequence[ConfigFile]", clients: Collection[str], *, dry_run: bool, yes: bool) -> int:
    """Show what is to be undone, ask, do it. Files of other projects than this one count, too."""
    files = _all_files(found, clients)
    plans: list[tuple[ConfigFile, changing.Undoing]] = []
    failed = False
    for file in files:
        try:
            how = changing.undoing(file)
        except GuardError as error:
            say_guard_error(error)
            failed = True
            continue
        if how is not None:
            plans.append((file, how))
    _show(plans)
    if plans and not dry_run and agreed("Undo this?", yes=yes):
        for file, how in plans:
            failed = not _undone(file, how) or failed
    return EXIT_FINDING if failed or any(how.left for _, how in plans) else EXIT_DONE


def _all_files(found: "Sequence[ConfigFile]", clients: Collection[str]) -> "list[ConfigFile]":
    from mcp_guard.clients.values import ConfigFile

    files = {os.path.realpath(file.path): file for file in found}
    for path in records.known():
        if path not in files and os.path.isfile(path):
            record = records.find(path)
            if record is not None and (not clients or record[0].client in clients):
                syntax = "toml" if path.endswith(".toml") else "json"
                files[path] = ConfigFile(record[0].client, path, (), syntax)
    return list(files.values())


def _show(plans: "Sequence[tuple[ConfigFile, changing.Undoing]]") -> None:
    out = console()
    if not plans:
        out.print("Nothing to undo.")
    for file, how in plans:
        out.print(f"{CLIENTS[file.client].title}  {short(file.path)}", style="bold", markup=False)
        if how.whole:
            out.print("  gets back what it held, byte for byte")
            continue
        out.print("  was changed since; the guarded servers in it get back what stood there")
        for entry in how.left:
            where = short(records.directory(file.path))
            out.print(f"  {entry.name}: ", end="", markup=False)
            out.print("LEFT AS IT IS", style="yellow", end="")
            out.print(f": changed since. What stood there is in {where}/original", markup=False)


def _undone(file: "ConfigFile", how: changing.Undoing) -> bool:
    try:
        changing.undo(how)
    except GuardError as error:
        say_guard_error(error)
        return False
    console().print(f"Undone in {short(file.path)}", markup=False)
    return True
