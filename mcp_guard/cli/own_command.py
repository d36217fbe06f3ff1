"""How clients are to start this very mcp-guard: by an absolute path, since what a desktop starts has a short PATH.

The invariant: what is started is found without looking into the directory that a client starts it in. That is often a
project, and a project may bring modules of any name.
"""

import os
import shutil
import sys

from mcp_guard.errors import GuardError

_TEMPORARY = ("/uv/archive-v0/", "/uv/builds-v0/", "/pipx/.cache/", "/.cache/uv/")


def own_command() -> tuple[str, ...]:
    """The program, and what comes before `run`. Raises GuardError where this one will not be there for long."""
    here = sys.executable.replace("\\", "/") + "/"
    if any(part in here for part in _TEMPORARY):
        raise GuardError(
            "this mcp-guard runs in a temporary environment, which clients cannot rely on",
            "install it (`uv tool install` or `pipx install`), and run that one",
        )
    beside = os.path.join(os.path.dirname(sys.executable), "mcp-guard" + (".exe" if os.name == "nt" else ""))
    if not os.path.isfile(beside):
        return (sys.executable, "-P", "-m", "mcp_guard")  # -P: no module comes from the directory it is started in
    found = shutil.which("mcp-guard")
    is_same = found is not None and os.path.realpath(found) == os.path.realpath(beside)
    return (os.path.abspath(found) if is_same and found else beside,)  # a link on PATH outlives an upgrade
