"""What the measurements run on: the C programs and the peers' own environments, in a cache directory.

Nothing here measures; `run.py` and `over_http.py` do.
"""

import compileall
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from platformdirs import user_cache_path

HERE = Path(__file__).parent
PEERS = ("fastmcp>=4.1,<5", "mcp-firewall>=0.1,<0.2")
PYPI_PROXY = "mcp-proxy>=0.13,<0.14"  # an environment of its own: it wants an older SDK
NPM_PEERS = ("supergateway@4.0.0", "mcp-proxy@6.7.19")


class Workshop:
    """The built tools, and one way to run the load client."""

    def __init__(self) -> None:
        self.root = user_cache_path("mcp-guard", appauthor=False) / "benchmarks"
        self.root.mkdir(parents=True, exist_ok=True)
        # As an installation leaves it: where Python may not write bytecode, each start would compile what was edited.
        compileall.compile_dir(HERE.parent / "mcp_guard", quiet=1)
        self.echo, self._load = self.compiled("echo"), self.compiled("load")

    def compiled(self, name: str) -> str:
        """The path of one of the C programs here, built anew."""
        binary = self.root / name
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(binary), str(HERE / f"{name}.c")]
        subprocess.run(command, check=True)
        return str(binary)

    def peers(self) -> Path:
        """The directory of the peers' commands, installed into an environment of their own on first use."""
        return self._environment("peers", PEERS)

    def pypi_proxy(self) -> str:
        """The command of the proxy from PyPI."""
        return str(self._environment("pypi-proxy", (PYPI_PROXY,)) / "mcp-proxy")

    def npm_peer(self, name: str) -> str:
        """The command of a peer from npm."""
        home = self.root / "npm-peers"
        mark = home / "installed"
        if not mark.exists() or mark.read_text() != "\n".join(NPM_PEERS):
            say(f"installing {', '.join(NPM_PEERS)}")
            npm = shutil.which("npm")
            if npm is None:
                raise SystemExit("some peers come from npm, which is not on the PATH")
            home.mkdir(exist_ok=True)
            (home / "package.json").write_text('{"private": true}')
            subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *NPM_PEERS], cwd=home, check=True
            )
            mark.write_text("\n".join(NPM_PEERS))
        return str(home / "node_modules" / ".bin" / name)

    def _environment(self, name: str, packages: Sequence[str]) -> Path:
        environment = self.root / name
        mark = environment / "installed"
        if not mark.exists() or mark.read_text() != "\n".join(packages):
            say(f"installing {', '.join(packages)}")
            venv.create(environment, with_pip=True, clear=True)
            subprocess.run([environment / "bin" / "pip", "install", "-q", *packages], check=True)
            mark.write_text("\n".join(packages))
        return environment / "bin"

    def peer_version(self, package: str) -> str:
        """The version of a peer as installed."""
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return subprocess.run(
            [self.peers() / "python", "-c", code], check=True, capture_output=True, text=True
        ).stdout.strip()

    def load(
        self, mode: str, *numbers: int, command: Sequence[str], cpus: str, env: Mapping[str, str] | None = None
    ) -> dict[str, float]:
        """Run the load client on these processors (its server inherits them); gives the figures it printed."""
        return measured([self._load, mode, *map(str, numbers), "--", *command], cpus, env)


def measured(command: Sequence[str], cpus: str, env: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run a load client on these processors; gives the figures it printed."""
    line = ["taskset", "-c", cpus, *command]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=600)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(line)}\nended with {done.returncode}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)


def machine() -> str:
    """The machine in one line, for the head of the tables."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, {python}"


def say(text: str) -> None:
    """What goes on, on stderr: stdout is for the tables."""
    print(text, file=sys.stderr, flush=True)
