"""What the measurements run on: the two C programs and the peers' own environment, in a cache directory.

Nothing here measures; `run.py` does.
"""

import json
import os
import platform
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from platformdirs import user_cache_path

HERE = Path(__file__).parent
PEERS = ("fastmcp>=4.1,<5", "mcp-firewall>=0.1,<0.2")


class Workshop:
    """The built tools, and one way to run the load client."""

    def __init__(self) -> None:
        self.root = user_cache_path("mcp-guard", appauthor=False) / "benchmarks"
        self.root.mkdir(parents=True, exist_ok=True)
        self.echo, self._load = self._compile("echo"), self._compile("load")

    def _compile(self, name: str) -> str:
        binary = self.root / name
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(binary), str(HERE / f"{name}.c")]
        subprocess.run(command, check=True)
        return str(binary)

    def peers(self) -> Path:
        """The directory of the peers' commands, installed into an environment of their own on first use."""
        environment = self.root / "peers"
        mark = environment / "installed"
        if not mark.exists() or mark.read_text() != "\n".join(PEERS):
            say(f"installing {', '.join(PEERS)}")
            venv.create(environment, with_pip=True, clear=True)
            subprocess.run([environment / "bin" / "pip", "install", "-q", *PEERS], check=True)
            mark.write_text("\n".join(PEERS))
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
        line = ["taskset", "-c", cpus, self._load, mode, *map(str, numbers), "--", *command]
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
