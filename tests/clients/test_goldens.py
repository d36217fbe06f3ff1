"""The files of every client, as it writes them or as its manual shows them, with guards put in: as each must come out.

`configs/NAME` becomes `guarded/NAME`, and with one guard for all `gathered/NAME`. Write them anew with
`python -m tests.clients.test_goldens`, and read what changed.
"""

from pathlib import Path
from typing import Any

import pytest

from mcp_guard.clients import syntaxes
from mcp_guard.clients.changing import yaml_of
from mcp_guard.clients.known import CLIENTS
from mcp_guard.clients.planning import FilePlan, Wish, plan, unwrapped
from mcp_guard.clients.values import Surroundings
from mcp_guard.clients.wrapping import Launch, Left, is_guard, wrapping
from tests.clients.making import LAUNCH, ONE, WISH

HERE = Path(__file__).parent
AROUND = Surroundings("/home/me", ["/srv/project"], "linux", {})
FILES = {  # file here: client, and the path at which the client has it
    "claude_code_user.json": ("claude-code", "/home/me/.claude.json"),
    "claude_code_project.json": ("claude-code", "/srv/project/.mcp.json"),
    "claude_desktop.json": ("claude-desktop", "/home/me/.config/Claude/claude_desktop_config.json"),
    "cursor.json": ("cursor", "/home/me/.cursor/mcp.json"),
    "vscode.json": ("vscode", "/srv/project/.vscode/mcp.json"),
    "windsurf.json": ("windsurf", "/home/me/.codeium/windsurf/mcp_config.json"),
    "codex.toml": ("codex", "/home/me/.codex/config.toml"),
    "gemini.json": ("gemini-cli", "/home/me/.gemini/settings.json"),
}
WISHES = {"guarded": WISH, "gathered": ONE}


def made(name: str, wish: Wish) -> FilePlan:
    client, path = FILES[name]
    file = next(file for file in CLIENTS[client].files(AROUND) if file.path == path)
    return plan(file, (HERE / "configs" / name).read_bytes().decode(), wish)


def shown(found: FilePlan) -> bytes:
    """The file, and behind it what a guard.yaml would hold."""
    return found.after.encode() + b"".join(b"\n---\n" + yaml_of(guard) for _, guard in found.guards)


@pytest.mark.parametrize("way", WISHES)
@pytest.mark.parametrize("name", FILES)
def test_a_clients_file_comes_out_as_it_must(name: str, way: str) -> None:
    assert shown(made(name, WISHES[way])) == (HERE / way / name).read_bytes()


@pytest.mark.parametrize("way", WISHES)
@pytest.mark.parametrize("name", FILES)
def test_and_once_more_changes_nothing(name: str, way: str) -> None:
    once = made(name, WISHES[way])
    assert plan(once.file, once.after, WISHES[way]).after == once.after


@pytest.mark.parametrize("name", FILES)
def test_every_server_that_was_wrapped_can_be_unwrapped_to_the_byte(name: str) -> None:
    found = made(name, WISH)
    back, taken_out = unwrapped(found.file, found.after, found.before, found.entries)
    assert len(taken_out) == len(found.entries)
    if found.file.syntax == "json":
        assert back == found.before
    assert syntaxes.data(found.file.syntax, back) == syntaxes.data(found.file.syntax, found.before)


WEB = "https://e.com/mcp"
LEFT: list[tuple[Any, str]] = [
    ({"url": WEB, "auth": {"CLIENT_ID": "x"}}, "the client logs in to it in a way of its own (`auth`)"),
    ({"url": WEB, "oauth": {}}, "the client logs in to it in a way of its own (`oauth`)"),
    ({"url": "https://me:secret@e.com/mcp"}, "its URL holds a password: write it as a header"),
    ({"url": "wss://e.com"}, "its URL is none of http"),
    ({"url": WEB, "type": "ws"}, "it is reached in a way that the guard does not know"),
    ({"url": WEB, "headers": {"a: b": "c"}}, "the name of one of its headers is none"),
    ({"url": WEB, "headers": ["a: b"]}, "its headers are not texts"),
    ({"url": WEB, "env": {}}, "it has a URL and what belongs to a command"),
    ({"url": WEB, "command": "npx"}, "it has both a command and a URL"),
    ({}, "it has neither a command nor a URL"),
    ({"command": "npx", "args": "-y x"}, "its arguments are not a list of texts"),
    (
        {"command": "npx -y x"},
        "its command is a whole command line: write the program as `command`, the rest as `args`",
    ),
    ({"command": ""}, "its command is not a text"),
    ("npx", "not a server"),
    ({"command": "/x/mcp-guard", "args": ["run", "--", "npx"]}, "guarded"),
    ({"command": "uvx", "args": ["mcp-guard", "run", "--", "npx"]}, "guarded"),
    ({"command": "C:\\py\\python.exe", "args": ["-m", "mcp_guard", "run", "--url", WEB]}, "guarded"),
]


@pytest.mark.parametrize(("server", "why"), LEFT)
def test_what_is_left_is_left_for_a_reason(server: Any, why: str) -> None:
    assert wrapping(server, "it", LAUNCH) == Left(why, is_guarded=why == "guarded")


def test_a_guard_as_an_argument_of_a_server_guards_nothing() -> None:
    server = {"command": "npx", "args": ["--", "mcp-guard", "run"]}
    assert not is_guard(server)


def test_a_guard_gets_another_mode_and_nothing_else() -> None:
    once = made("codex.toml", WISH)
    switched = plan(once.file, once.after, Wish(lambda file: Launch(("other",), ()), mode="enforce"))
    assert switched.after == once.after.replace('"observe"', '"enforce"')
    assert {one.state for one in switched.servers} == {"changed"}


def test_no_secret_becomes_an_argument() -> None:
    for name in FILES:
        for wish in WISHES.values():
            found = made(name, wish)
            for entry in found.entries:
                words = " ".join(map(str, entry.says["args"]))  # type: ignore[arg-type]
                for secret in ("not-a-real-one", "GITHUB_TOKEN", "EXAMPLE_TOKEN", "EXAMPLE_API_TOKEN", "input:key"):
                    assert secret not in words, (name, entry.name)


if __name__ == "__main__":
    for directory, how in WISHES.items():
        (HERE / directory).mkdir(exist_ok=True)
        for one in FILES:
            (HERE / directory / one).write_bytes(shown(made(one, how)))
