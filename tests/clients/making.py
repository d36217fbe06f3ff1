"""Configuration files for the tests: wishes, launches, and files of all kinds made up by hypothesis."""

import json
from typing import Any

from hypothesis import strategies as st

from mcp_guard.clients.planning import Wish
from mcp_guard.clients.values import ConfigFile
from mcp_guard.clients.wrapping import Launch

LAUNCH = Launch(("/opt/guard/bin/mcp-guard",), ("--policy", "/home/me/policy.yaml", "--mode", "observe"))
WISH = Wish(lambda file: LAUNCH)
ONE = Wish(lambda file: LAUNCH, one=lambda file, section: "/home/me/guard.yaml")

JSON_FILE = ConfigFile(
    "claude-code", "/home/me/.claude.json", [("user", ("mcpServers",)), ("local", ("projects", "*", "mcpServers"))]
)
TOML_FILE = ConfigFile("codex", "/home/me/.codex/config.toml", [("user", ("mcp_servers",))], "toml")

_words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
_names = st.one_of(st.sampled_from(["files", "github", "Brave Search", "a.b", "mcp-guard"]), _words.filter(bool))
_texts = st.one_of(st.sampled_from(["npx", "-y", "${HOME}/x", "$VAR", 'a"b\\c', "ünï", "{", "# no", "// no"]), _words)
_mappings = st.dictionaries(_names, _texts, max_size=3)
_more = st.dictionaries(st.sampled_from(["timeout", "trust", "disabled"]), st.booleans(), max_size=2)
_urls = st.sampled_from(
    ["https://e.com/mcp", "https://e.com/mcp?key=1", "http://localhost:1/x", "${BASE}/mcp", "ftp://x"]
)

_local = st.fixed_dictionaries(
    {"command": _texts}, optional={"args": st.lists(_texts, max_size=3), "env": _mappings, "cwd": st.just("/srv")}
)
_remote = st.fixed_dictionaries(
    {"url": _urls}, optional={"headers": _mappings, "type": st.sampled_from(["http", "sse", "ws"])}
)
_codex_remote = st.fixed_dictionaries(
    {"url": _urls},
    optional={
        "http_headers": _mappings,
        "env_http_headers": st.dictionaries(_names, st.just("VAR"), max_size=2),
        "bearer_token_env_var": st.just("TOKEN"),
    },
)


def _servers(*kinds: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.builds(lambda server, more: {**server, **more}, st.one_of(*kinds), _more)
    return st.dictionaries(_names, one, max_size=4)


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def json_files(draw: st.DrawFn) -> str:
    """A JSON file with servers in it, in any layout: spaces, comments, trailing commas, line ends, byte order mark."""
    data = draw(st.dictionaries(_words, _json_values, max_size=3))
    data["mcpServers"] = draw(_servers(_local, _remote))
    if draw(st.booleans()):
        data["projects"] = {"/srv/project": {"mcpServers": draw(_servers(_local, _remote))}}
    text = _laid_out(draw, data)
    return ("\ufeff" if draw(st.booleans()) else "") + draw(_gaps) + text + draw(_gaps)


_gaps = st.sampled_from(["", " ", "\n", "\r\n    ", "\t", " // a } comment\n", "/* , */", "\n  "])


def _laid_out(draw: st.DrawFn, value: Any) -> str:
    gap = lambda: draw(_gaps)  # noqa: E731
    if isinstance(value, dict):
        inner = [f"{gap()}{json.dumps(key)}{gap()}:{gap()}{_laid_out(draw, one)}{gap()}" for key, one in value.items()]
        return "{" + ",".join(inner) + (draw(st.sampled_from(["", ","])) if inner else "") + gap() + "}"
    if isinstance(value, list):
        inner = [f"{gap()}{_laid_out(draw, one)}{gap()}" for one in value]
        return "[" + ",".join(inner) + (draw(st.sampled_from(["", ","])) if inner else "") + gap() + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def _toml_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_toml_text(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[\n  " + ",\n  # one\n  ".join(map(_toml_text, value)) + "]" if value else "[ ]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if key.isascii() and key.replace("-", "").replace("_", "").isalnum() else _toml_text(key)


@st.composite
def toml_files(draw: st.DrawFn) -> str:
    """A TOML file with servers in it: in sections, dotted keys or braces, between other sections, with comments."""
    lines = ["# mine", 'model = "x"  # [not.a.section]', 'notes = """', "[mcp_servers.no]", 'command = "no"', '"""', ""]
    for name, server in draw(_servers(_local, _codex_remote)).items():
        lines += _toml_server(draw, f"mcp_servers.{_toml_key(name)}", server)
        if draw(st.booleans()):
            lines += [f'[projects."/{len(lines)}"]', "trust_level = 'trusted'", ""]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return ("\ufeff" if draw(st.booleans()) else "") + end.join("\n".join(lines).split("\n"))


def _toml_server(draw: st.DrawFn, head: str, server: dict[str, Any]) -> list[str]:
    tables = {key for key, one in server.items() if isinstance(one, dict) and draw(st.booleans())}
    lines = [f"[{head}]  # its head"]
    lines += [f"{_toml_key(key)} = {_toml_text(one)} # why" for key, one in server.items() if key not in tables]
    for key in tables:
        lines += [
            "",
            f"[{head}.{key}]",
            *(f"{_toml_key(name)} = {_toml_text(one)}" for name, one in server[key].items()),
        ]
    return [*lines, ""]
