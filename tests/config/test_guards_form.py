"""guard.yaml: what it says, and what is said about what is wrong in it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_guard.config import Auth, ConfigError, GuardConfig, HttpServer, StdioServer
from mcp_guard.config.schema import json_schema
from mcp_guard.policy import render
from tests.config.making import briefly, config_of, findings

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "ghp_" + "0123456789" * 4

FULL = """
policy: [team.yaml, mine.yaml]
db: audit.db
agent: claude-code
user: kim@example.com
groups: staff
prefix: "{server}."
wait: 2.5
servers:
  files:
    command: npx
    args: [-y, "@modelcontextprotocol/server-filesystem", "${HOME}/project"]
    env: {DEBUG: "1"}
    cwd: sub
    start: lazy
  tracker:
    url: https://mcp.example.com/mcp
    transport: http
    headers: {X-Team: "${TEAM}", Authorization: "Bearer ${file:~/.token}"}
    auth: {kind: client_credentials, client_id: me, client_secret: "${SECRET}", scopes: [read, write]}
"""


def test_everything_that_a_configuration_can_say() -> None:
    assert config_of(FULL) == GuardConfig(
        policy=("team.yaml", "mine.yaml"),
        db="audit.db",
        agent="claude-code",
        user="kim@example.com",
        groups=("staff",),
        prefix="{server}.",
        wait=2.5,
        servers={
            "files": StdioServer(
                command="npx",
                args=("-y", "@modelcontextprotocol/server-filesystem", "${HOME}/project"),
                env={"DEBUG": "1"},
                cwd="sub",
                start="lazy",
            ),
            "tracker": HttpServer(
                url="https://mcp.example.com/mcp",
                transport="http",
                headers={"X-Team": "${TEAM}", "Authorization": "Bearer ${file:~/.token}"},
                auth=Auth(
                    kind="client_credentials", client_id="me", client_secret="${SECRET}", scopes=("read", "write")
                ),
            ),
        },
    )


def test_the_least_that_a_configuration_can_say() -> None:
    assert config_of("servers: {a: {command: x}}") == GuardConfig(servers={"a": StdioServer(command="x")})
    assert config_of('{"servers": {"a": {"url": "https://x"}}}', "guard.json").servers["a"] == HttpServer(
        url="https://x"
    )


def test_servers_keep_the_order_of_the_file() -> None:
    assert list(config_of("servers: {z: {command: x}, a: {command: x}, m: {command: x}}").servers) == ["z", "a", "m"]


def test_the_example_is_sound() -> None:
    assert briefly((EXAMPLES / "guard.yaml").read_bytes()) == []


ONE = "servers:\n  a: {{{}}}\n"
FAULTS = [
    ("an empty file", "", ["1:1 empty-file"]),
    ("a list", "- a\n", ["1:1 wrong-type"]),
    ("a megabyte of other things", "#" * (1 << 20) + "\n", ["1:1 too-large"]),
    ("a tab", "servers:\n\ta: {command: x}", ["2:1 syntax"]),
    ("no servers", "policy: x\n", ["1:1 missing-field"]),
    ("no server among them", "servers: {}\n", ["1:10 missing-field"]),
    ("a typo", "servers: {a: {command: x}}\npolicies: x\n", ["2:1 unknown-field"]),
    ("a typo in a server", ONE.format("comand: x"), ["2:3 command-or-url", "2:7 unknown-field"]),
    ("neither command nor URL", ONE.format("args: [x]"), ["2:3 command-or-url"]),
    ("both", ONE.format("command: x, url: 'https://x'"), ["2:3 command-or-url"]),
    ("arguments for a URL", ONE.format("url: 'https://x', args: [x]"), ["2:25 field-not-here"]),
    ("headers for a command", ONE.format("command: x, headers: {A: b}"), ["2:19 field-not-here"]),
    ("an empty command", ONE.format("command: ' '"), ["2:16 empty-value"]),
    ("a command line for a command", ONE.format("command: npx -y x"), ["2:16 command-with-spaces"]),
    ("a path with a space", ONE.format("command: '/opt/My Server/run'"), []),
    ("a number in the environment", ONE.format("command: x, env: {PORT: 80}"), ["2:31 wrong-type"]),
    ("a variable that none can be", ONE.format("command: x, env: {'A=B': c}"), ["2:25 bad-variable"]),
    ("a URL without a host", ONE.format("url: 'https:///x'"), ["2:12 bad-url"]),
    ("another scheme", ONE.format("url: 'file:///x'"), ["2:12 bad-url"]),
    ("a password in a URL", ONE.format("url: 'https://me:pass@x/'"), ["2:12 bad-url"]),
    ("a URL that is to be filled in", ONE.format("url: '${URL}/mcp'"), []),
    ("plain HTTP", ONE.format("url: 'http://example.com/mcp'"), ["2:12 plain-http"]),
    ("plain HTTP at home", ONE.format("url: 'http://localhost:8000/mcp'"), []),
    ("plain HTTP to a name that only begins like home", ONE.format("url: 'http://127.evil.example/'"), []),
    ("a header that none can be", ONE.format("url: 'https://x', headers: {'A B': c}"), ["2:35 bad-header"]),
    ("a second header in a value", ONE.format('url: "https://x", headers: {A: "b\\r\\nC: d"}'), ["2:35 bad-header"]),
    ("an unknown transport", ONE.format("url: 'https://x', transport: ws"), ["2:36 unknown-value"]),
    ("an unknown start", ONE.format("command: x, start: soon"), ["2:26 unknown-value"]),
    (
        "half the client credentials",
        ONE.format("url: 'https://x', auth: {kind: client_credentials}"),
        ["2:31 missing-field"],
    ),
    ("a reference of another program", ONE.format("command: x, env: {A: '${input:token}'}"), ["2:28 bad-reference"]),
    ("a reference without an end", ONE.format("command: x, args: ['${A']"), ["2:26 bad-reference"]),
    ("a dollar sign", ONE.format("command: x, args: ['$${A}', '$A', '5$']"), []),
    ("a secret in the file", ONE.format(f"command: x, env: {{TOKEN: {SECRET}}}"), ["2:25 secret-in-file"]),
    ("a secret by its name", ONE.format("command: x, env: {BRAVE_API_KEY: BSAabcdefghijkl}"), ["2:25 secret-in-file"]),
    ("a path to one", ONE.format("command: x, env: {SSH_KEY_FILE: /k/id, TOKEN_PATH: ~/token}"), []),
    ("numbers and words under such names", ONE.format("command: x, env: {MAX_TOKENS: '100000', COOKIES: enabled}"), []),
    ("a secret for a flag", ONE.format(f"command: x, args: [--api-key, {SECRET}]"), ["2:37 secret-in-file"]),
    (
        "a secret that only its flag tells",
        ONE.format("command: x, args: [--token, abc123def]"),
        ["2:35 secret-in-file"],
    ),
    ("a secret in a flag", ONE.format("command: x, args: [-y, --token=abc123def]"), ["2:30 secret-in-file"]),
    ("a flag that is filled in", ONE.format("command: x, args: [--token, '${TOKEN_1}', '--token=${TOKEN_1}']"), []),
    ("a secret in a URL", ONE.format("url: 'https://x/mcp?api_key=abcdefgh'"), ["2:7 secret-in-file"]),
    ("a secret in the URL's path", ONE.format(f"url: 'https://x/{SECRET}/mcp'"), ["2:7 secret-in-file"]),
    ("a URL's key that is filled in", ONE.format("url: 'https://x/mcp?api_key=${KEY}&page=100000'"), []),
    ("an agent that none can be", "agent: ' cursor'\nservers: {a: {command: x}}", ["1:8 bad-slug"]),
    ("an agent without a name", "agent: ''\nservers: {a: {command: x}}", ["1:8 bad-slug"]),
    ("a name that is no slug", "servers: {My Server: {command: x}}", ["1:11 bad-slug"]),
    (
        "names that could be taken for each other's",
        "servers: {a: {command: x}, a__b: {command: x}}",
        ["1:28 bad-prefix"],
    ),
    ("one prefix for all", "prefix: x\nservers: {a: {command: x}, b: {command: x}}", ["1:9 bad-prefix"]),
    ("a wait before time", "wait: -1\nservers: {a: {command: x}}", ["1:7 wrong-type"]),
    ("a wait that no client outlives", "wait: 301\nservers: {a: {command: x}}", ["1:7 wrong-type"]),
    ("a wait that never ends", "wait: .inf\nservers: {a: {command: x}}", ["1:7 wrong-type"]),
    ("a wait in words", "wait: 5s\nservers: {a: {command: x}}", ["1:7 wrong-type"]),
    ("no wait at all", "wait: 0\nservers: {a: {command: x}}", []),
    ("a prefix that does not matter", "prefix: x\nservers: {a: {command: x}}", []),
]


@pytest.mark.parametrize(("text", "found"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_found_at_its_place(text: str, found: list[str]) -> None:
    assert briefly(text) == found


def test_a_finding_is_a_code_a_place_a_caret_and_a_way_out() -> None:
    text = "policy: x\nservers:\n  files:\n    comand: npx\n"
    assert render(findings(text)) == (
        "guard.yaml:3:3: error[command-or-url]: a server needs `command` or `url`\n"
        "    3 |   files:\n"
        "      |   ^^^^^\n"
        "  hint: `command` starts it here, `url` reaches it elsewhere\n"
        "guard.yaml:4:5: error[unknown-field]: `comand` is not a field of a server\n"
        "    4 |     comand: npx\n"
        "      |     ^^^^^^\n"
        "  hint: did you mean `command`?"
    )


QUIET = "abc123def"  # a secret only by what stands before it
HIDING = [
    f"servers: {{a: {{command: x, env: {{TOKEN: {SECRET}}}, oops: 1}}}}",
    f"servers:\n  a:\n    url: https://x\n    headers:\n      Authorization: {SECRET}\n      Other: 7\n",
    f"servers:\n  a:\n    url: https://x\n    headers: [{SECRET}]\n",
    f"servers:\n  a:\n    url: https://me:{SECRET}@x\n",
    f"servers:\n  a:\n    url: https://x\n    auth: {{kind: {SECRET}}}\n",
    f"servers:\n  a:\n    url: https://x\n    auth: {{client_secret: {SECRET}, id: x}}\n",
    f"servers:\n  a:\n    command: x\n    args: [--token, {SECRET}, 7]\n",
    "servers:\n  a:\n    command: x\n    args:\n    - --token\n    - " + QUIET + "\n",
    "servers: {a: {url: 'https://x/mcp?key=1&api_key=" + QUIET + "', oops: 1}}",
    f"servers:\n  a:\n    command: x\n    env:\n      A: {SECRET}\n      A: b\n",
    '{"mcpServers": {"a": {"command": "x", "env": {"A": "' + SECRET + '"}, "includeTools": []}}}',
]


@pytest.mark.parametrize("text", HIDING)
def test_no_finding_shows_a_secret(text: str) -> None:
    found = findings(text)
    assert found
    assert SECRET not in render(found) + str(found)
    assert QUIET not in render(found) + str(found)


def test_a_refused_configuration_is_an_error_with_a_report() -> None:
    with pytest.raises(ConfigError) as refused:
        config_of("polcy: x\nsevers: {}\n")
    assert str(refused.value).startswith("guard.yaml:1:1: error[unknown-field]")
    assert "guard.yaml:2:1" in refused.value.report


@settings(max_examples=150)
@given(st.text(max_size=80) | st.text("servers:{}[] \n-ab\"'command url${}", max_size=120))
def test_whatever_is_in_a_file_a_configuration_or_an_error_comes_of_it(text: str) -> None:
    findings(text.encode("utf-8", "surrogatepass"))
    findings(text.encode("utf-8", "surrogatepass"), "guard.json")


SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_it_is_a_schema_and_the_example_fits_it() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == "mcp-guard configuration"
    for text in (FULL, (EXAMPLES / "guard.yaml").read_text()):
        assert VALIDATOR.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("text", [fault[1] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_an_editor_underlines_what_is_refused_as_far_as_a_schema_can(text: str) -> None:
    errors = {found.code for found in findings(text) if found.severity == "error"}
    if not errors:
        assert VALIDATOR.is_valid(yaml.safe_load(text))
    elif errors & {"unknown-field", "wrong-type", "unknown-value", "command-or-url"}:
        assert not VALIDATOR.is_valid(yaml.safe_load(text))


CODES = {code.split()[1] for _, _, found in FAULTS for code in found}
READERS = {
    "syntax",
    "too-large",
    "empty-file",
    "wrong-type",
    "unknown-field",
    "missing-field",
    "unknown-value",
    "empty-value",
}
"""The codes that policies have as well."""


def test_the_documented_configuration_is_sound() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "many-servers.md").read_text()
    texts = [part.split("```")[0] for part in documented.split("```yaml\n")[1:]]
    assert [briefly(text) for text in texts] == [[]] * len(texts) != []


def test_every_finding_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "many-servers.md").read_text().split("## What is refused")[1]
    assert {code for code in CODES - READERS if f"`{code}`" not in documented} == set()
