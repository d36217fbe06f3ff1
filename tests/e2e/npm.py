"""The real servers and clients from npm, pinned by `package-lock.json`, installed once into the user's cache directory.

A machine without node or without a registry gets an error that says so, never a skipped test: what is not run is not
shown to work.
"""

import fcntl
import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

PINS = Path(__file__).parent / "package.json", Path(__file__).parent / "package-lock.json"


@cache
def installed() -> Path:
    """The `node_modules` directory, filled by `npm ci` if these very pins are not installed yet."""
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in PINS)).hexdigest()[:16]
    home = user_cache_path("mcp-guard", appauthor=False) / "e2e" / digest
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:  # several test processes may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".complete").exists():
            _install(home)
            (home / ".complete").touch()
    return home / "node_modules"


def _install(home: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("the end-to-end tests need node and npm (20 or newer) on the PATH")
    for pin in PINS:
        shutil.copy(pin, home)
    line = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(line, cwd=home, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"`npm ci` failed with {done.returncode}:\n{done.stdout}{done.stderr}")


def node_server(name: str) -> list[str]:
    """The command that starts one of the reference servers, `filesystem` or `everything`; arguments follow."""
    return ["node", str(installed() / "@modelcontextprotocol" / f"server-{name}" / "dist" / "index.js")]


def npx(name: str) -> list[str]:
    """The same server as people start it: by `npx`, which stays around it as its parent. Downloads nothing."""
    return ["npx", "--no-install", "--prefix", str(installed().parent), f"mcp-server-{name}"]


def program(name: str) -> str:
    """The path of a command that a package brings, e.g. `claude`."""
    return str(installed() / ".bin" / name)
