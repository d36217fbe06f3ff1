"""What a draft asks of each argument, and which calls it allows: the tightest that still reads well."""

from typing import Any

import pytest

from mcp_guard.cel import compile
from mcp_guard.insight.suggest.constraint import Tightness, constraint
from mcp_guard.insight.suggest.draft import draft
from mcp_guard.insight.suggest.observed import Seen
from mcp_guard.insight.suggest.profile import Profile
from mcp_guard.insight.suggest.rules import is_reading
from mcp_guard.policy import Call, Policy, Principal, Source, load
from mcp_guard.policy.conditions import VARIABLES
from mcp_guard.store.reader import RecordedEvent
from tests.insight.test_replay import recorded

PATHS = ["/srv/app/a.py", "/srv/app/b/c.py", "/srv/app/d.py"]
X = "request.args.x"

CONSTRAINTS: list[tuple[str, list[Any], str | None]] = [
    # few values are listed
    ("one value", ["dev"] * 3, f'{X} == "dev"'),
    ("two values", ["dev", "main", "dev"], f'{X} in ["dev", "main"]'),
    ("two paths", PATHS[:2], f'{X} in ["/srv/app/a.py", "/srv/app/b/c.py"]'),
    ("values that come again and again", ["a b", "c d", "e f"] * 5, f'{X} in ["a b", "c d", "e f"]'),
    ("two numbers", [1, 2, 2], f"{X} in [1, 2]"),
    ("a number and its double", [1, 1.0], f"{X} in [1.0, 1]"),
    ("a switch", [True] * 9, f"{X} == true"),
    ("both ways of a switch", [True, False, True], f"{X} in [false, true]"),
    ("quotes and controls", ['a"b', "a\nb"], f'{X} in ["a\\nb", "a\\"b"]'),
    # many are generalised
    ("paths in one directory", PATHS, f'{X}.startsWith("/srv/app/") && !{X}.contains("..")'),
    (
        "a directory and what is in it",
        ["/srv/app", "/srv/app/x", "/srv/app/y"],
        f'({X} == "/srv/app" || {X}.startsWith("/srv/app/")) && !{X}.contains("..")',
    ),
    (
        "paths in two places, one of them once",
        [*PATHS, "/etc/hosts"],
        f'({X} == "/etc/hosts" || {X}.startsWith("/srv/app/")) && !{X}.contains("..")',
    ),
    (
        "a directory with its slash",
        ["/srv/a/", "/srv/a/x", "/srv/a/y"],
        f'{X}.startsWith("/srv/a/") && !{X}.contains("..")',
    ),
    ("paths all over the place", [f"/{name}/x" for name in "abcdef"], None),
    ("paths that climb", ["/srv/../etc/a", "/srv/b", "/srv/c"], None),
    (
        "URLs of one host",
        ["https://api.acme.com/a", "https://api.acme.com/b", "https://api.acme.com/c"],
        f'{X}.startsWith("https://api.acme.com/")',
    ),
    (
        "a host alone, too",
        ["https://acme.com", "https://acme.com/b", "https://acme.com/c"],
        f'({X} == "https://acme.com" || {X}.startsWith("https://acme.com/"))',
    ),
    ("addresses of one domain", [f"{name}@acme.com" for name in "abc"], f'{X}.matches("^[^@,; <>]+@acme[.]com$")'),
    ("names with a prefix", ["SUP-1", "SUP-2", "SUP-33"], f'{X}.startsWith("SUP-") && !{X}.matches("[/?#%]")'),
    ("branches with a prefix", ["fix-1/a", "fix-2", "fix-3"], f'{X}.startsWith("fix-") && !{X}.contains("..")'),
    ("relative paths", ["src/a", "src/b", "src/c"], f'{X}.startsWith("src/") && !{X}.contains("..")'),
    ("prose", ["Fix it now", "Fix that now", "Fix more"], None),
    ("numbers", [1, 2, 3], None),
    ("long texts", ["x" * 200], None),
    # lists by their items
    ("lists of paths", [PATHS[:2], PATHS[2:]], f'{X}.all(item, item.startsWith("/srv/app/") && !item.contains(".."))'),
    ("lists of few values", [["a"], ["b", "a"]], f'{X}.all(item, item in ["a", "b"])'),
    ("empty lists", [[], []], f"{X}.all(item, false)"),
    ("lists of numbers", [[1], [2]], None),
    # what has no one shape
    ("objects", [{"a": 1}], None),
    ("nothing", [None], None),
    ("texts and lists", ["a", ["a"]], None),
    ("numbers beyond every integer", [2**70], None),
    # secrets leave no trace
    ("a secret among others", ["plain", "Bearer a1b2c3d4e5f6g7h8i9"], None),
]


def profile_of(name: str, values: list[Any]) -> Profile:
    profile = Profile(name)
    for value in values:
        profile.add(value)
    return profile


@pytest.mark.parametrize(
    ("values", "expected"), [case[1:] for case in CONSTRAINTS], ids=[case[0] for case in CONSTRAINTS]
)
def test_an_argument_is_asked_for_what_all_its_values_share(values: list[Any], expected: str | None) -> None:
    made = constraint("x", profile_of("x", values), len(values), "shapes", 3)
    assert made == expected
    if made is not None:
        program = compile(made, variables=VARIABLES, expect_bool=True)
        assert [program.evaluate({"request": {"args": {"x": value}}}) for value in values] == [True] * len(values)


NAMES = [
    ("path", 2, 'request.args.path == "a"'),
    ("path", 3, '(!has(request.args.path) || request.args.path == "a")'),
    ("dry-run", 2, 'request.args["dry-run"] == "a"'),
    ("in", 3, '(!("in" in request.args) || request.args["in"] == "a")'),
    ("password", 2, None),
    ("api_key", 2, None),
]


@pytest.mark.parametrize(("name", "calls", "expected"), NAMES)
def test_an_argument_may_be_left_out_where_it_was_and_is_named_so_that_it_compiles(
    name: str, calls: int, expected: str | None
) -> None:
    made = constraint(name, profile_of(name, ["a", "a"]), calls, "shapes", 3)
    assert made == expected
    if made is not None:
        compile(made, variables=VARIABLES, expect_bool=True)


TIGHTNESS: list[tuple[Tightness, list[str], str | None]] = [
    ("places", ["a-1", "a-2", "a-3"], None),
    ("shapes", ["a-1", "a-2", "a-3"], f'{X}.startsWith("a-") && !{X}.matches("[/?#%]")'),
    ("values", ["a-1", "a-2", "a-3"], f'{X} in ["a-1", "a-2", "a-3"]'),
    ("places", PATHS, f'{X}.startsWith("/srv/app/") && !{X}.contains("..")'),
    ("values", PATHS, f'{X} in ["/srv/app/a.py", "/srv/app/b/c.py", "/srv/app/d.py"]'),
]


@pytest.mark.parametrize(("tightness", "values", "expected"), TIGHTNESS)
def test_the_same_values_can_be_asked_for_more_or_less_tightly(
    tightness: Tightness, values: list[str], expected: str | None
) -> None:
    assert constraint("x", profile_of("x", values), len(values), tightness, 3) == expected


def test_what_is_kept_of_an_argument_does_not_grow_with_the_calls() -> None:
    profile = profile_of("x", [f"/srv/app/{number % 7}/{number}.py" for number in range(5000)])
    assert profile.texts.stems is not None
    assert len(profile.texts.stems) <= 256
    assert profile.values is None
    assert constraint("x", profile, 5000, "shapes", 3) == f'{X}.startsWith("/srv/app/") && !{X}.contains("..")'


@pytest.mark.parametrize("name", ["get_issue", "listRepos", "search-code", "read_file", "directory_tree", "files.stat"])
def test_a_tool_that_only_reads_says_so_in_its_name(name: str) -> None:
    assert is_reading(name)


@pytest.mark.parametrize(
    "name", ["create_issue", "get_or_create", "update_list", "query", "fetchAndDelete", "target", "run"]
)
def test_a_tool_that_may_write_is_no_reading_one(name: str) -> None:
    assert not is_reading(name)


# Whole drafts


def call(tool: str, arguments: dict[str, Any], *, let_through: bool = True, **columns: Any) -> RecordedEvent:
    decision = "allow" if let_through else "deny"
    data = {"forwarded": let_through, "client": "claude-code", **columns.pop("data", {})}
    return recorded(tool, arguments, data=data, **{"agent_verified": False, "decision": decision, **columns})


def drafted(*events: RecordedEvent, minimum: int = 3) -> str:
    seen = Seen()
    for event in events:
        seen.add(event)
    return draft(seen, minimum, ["Draft."])


def policy_of(text: str) -> Policy:
    policy = load([Source("draft.yaml", text.encode())])
    assert policy.warnings == () or {found.code for found in policy.warnings} == {"no-rules"}
    return policy


def outcomes(text: str, *calls: tuple[str, dict[str, Any]], by: Principal | None = None) -> list[str]:
    policy, principal = policy_of(text), by or Principal("claude-code", "alice@acme.com")
    return [policy.decide(Call(principal, "files", tool, arguments)).outcome for tool, arguments in calls]


def test_tools_that_only_read_are_grouped_and_asked_only_where_they_read() -> None:
    made = drafted(*(call(tool, {"q": f"word {n}"}) for tool in ("search_code", "list_repos") for n in range(4)))
    assert "tools: [list_repos, search_code]" in made
    assert "id: files-reads" in made
    assert outcomes(made, ("list_repos", {"q": "new"}), ("search_code", {"page": 2}), ("push", {})) == [
        "allow",
        "allow",
        "deny",
    ]


def test_a_tool_that_writes_gets_no_argument_that_was_never_seen() -> None:
    made = drafted(*(call("push", {"branch": "dev", "text": f"say {n}"}) for n in range(4)))
    assert outcomes(
        made,
        ("push", {"branch": "dev", "text": "anything"}),
        ("push", {"branch": "main", "text": "anything"}),
        ("push", {"branch": "dev", "text": "anything", "force": True}),
    ) == ["allow", "deny", "deny"]


def test_other_agents_get_nothing_of_what_one_agent_did() -> None:
    made = drafted(*(call("push", {"n": n}) for n in range(4)))
    assert outcomes(made, ("push", {"n": 1}), by=Principal("cursor", "alice@acme.com")) == ["deny"]


DENIED = [
    ("by a shape", [{"path": f"/srv/{n}"} for n in range(4)], {"path": "/etc/passwd"}),
    ("by a tighter list", [{"base": f"dev-{n}"} for n in range(4)], {"base": "dev-9"}),
    (
        "by a value of its own",
        [{"base": f"dev {n}", "title": f"t {n}"} for n in range(40)],
        {"base": "dev x", "title": "t 1"},
    ),
    ("by one argument more", [{"a": f"x {n}"} for n in range(4)], {"a": "x 1", "force": True}),
    ("as a whole", [{"n": n, "m": n % 9} for n in range(40)], {"n": 7, "m": 8}),
]


@pytest.mark.parametrize(("allowed", "denied"), [case[1:] for case in DENIED], ids=[case[0] for case in DENIED])
def test_a_call_that_was_denied_stays_denied(allowed: list[dict[str, Any]], denied: dict[str, Any]) -> None:
    made = drafted(*(call("push", one) for one in allowed), call("push", denied, let_through=False))
    assert outcomes(made, *(("push", one) for one in allowed)) == ["allow"] * len(allowed)
    assert outcomes(made, ("push", denied)) == ["deny"]


def test_a_reading_tool_of_which_a_call_was_denied_is_asked_more() -> None:
    calls = [call("read_row", {"table": f"t-{n}"}) for n in range(4)]
    made = drafted(*calls, call("read_row", {"table": "salaries"}, let_through=False))
    assert outcomes(made, ("read_row", {"table": "t-2"}), ("read_row", {"table": "salaries"})) == ["allow", "deny"]


def test_users_are_told_apart_where_nothing_else_does() -> None:
    calls = [call("push", {"n": n}) for n in range(4)]
    made = drafted(*calls, call("push", {"n": 1}, let_through=False, user="bob"))
    assert 'users: ["alice@acme.com"]' in made or "users: [alice@acme.com]" in made
    assert outcomes(made, ("push", {"n": 1})) == ["allow"]
    assert outcomes(made, ("push", {"n": 1}), by=Principal("claude-code", "bob")) == ["deny"]


def test_a_call_that_was_both_let_through_and_denied_is_denied() -> None:
    made = drafted(*(call("push", {"n": n}) for n in range(9)), call("push", {"n": 1}, let_through=False))
    assert outcomes(made, ("push", {"n": 1}), ("push", {"n": 2})) == ["deny", "allow"]


def test_denials_of_tools_that_share_a_rule_stand_above_it() -> None:
    unknown = {"arguments": None, "redacted": [{"path": "", "hash": None, "why": "none", "bytes": 9}]}
    kept = [call(tool, {}, data=unknown) for tool in ("copy", "push") for _ in range(3)]
    made = drafted(*kept, *(call(tool, {}, let_through=False) for tool in ("copy", "push")))
    assert made.count("effect: allow") == 1
    assert outcomes(made, ("copy", {}), ("push", {}), ("push", {"x": 1})) == ["deny", "deny", "allow"]


def test_a_tool_whose_denied_calls_cannot_be_told_from_the_others_gets_no_rule() -> None:
    secret = {"name": "x", "password": "hunter2"}
    made = drafted(call("login", secret), call("login", secret, let_through=False))
    assert "No rule for files/login (1 call): what was kept of its calls does not tell" in made
    assert outcomes(made, ("login", secret)) == ["deny"]


SECRETS = [
    {"password": "hunter2"},
    {"headers": {"authorization": "Bearer a1b2c3d4e5f6g7h8i9"}},
    {"note": "token=a1b2c3d4e5"},
    {"url": "https://kim:hunter2@acme.com/"},
    {"items": ["plain", "ghp_a1b2c3d4e5f6g7h8i9j0k1l2m3n4"]},
    {"ghp_a1b2c3d4e5f6g7h8i9j0k1l2m3n4": "x"},
]


@pytest.mark.parametrize("arguments", SECRETS)
@pytest.mark.parametrize("let_through", [True, False])
def test_no_secret_gets_into_a_draft_also_where_the_log_has_it(arguments: dict[str, Any], let_through: bool) -> None:
    full = recorded("push", arguments, "full", data={"forwarded": let_through, "client": "claude-code"}).data
    made = drafted(
        call("push", {"n": 1}), call("push", arguments, let_through=let_through, data=full | {"forwarded": let_through})
    )
    policy_of(made)
    assert not any(secret in made for secret in ("hunter2", "a1b2c3d4"))


def test_a_hostile_text_stays_within_its_quotes() -> None:
    odd = '") || true || ("\n  - id: evil\u2028#\x00\U0001f600'
    made = drafted(call("push", {odd: odd, "b": odd}), call("push", {odd: odd, "b": odd}))
    policy = policy_of(made)
    assert [rule.effect for rule in policy.rules] == ["gated"]
    assert outcomes(made, ("push", {odd: odd, "b": odd}), ("push", {"b": "x"}), ("push", {})) == [
        "allow",
        "deny",
        "deny",
    ]


def test_agents_known_by_their_clients_names_are_declared() -> None:
    made = drafted(
        call("push", {}, data={"client": "Anthropic Claude"}), call("push", {}, data={"client": "claude-code"})
    )
    policy = policy_of(made)
    assert (policy.agent_for("Anthropic Claude"), policy.agent_for("claude-code")) == ("claude-code", "claude-code")


LEFT_OUT = [
    (call("push", {}, decided_by="guard", let_through=False), "decided by the guard itself"),
    (call("pu*sh", {}), "with names that no policy can name"),
    (call("tag:x", {}), "with names that no policy can name"),
    (call("push", {}, agent="No Slug"), "of callers that no policy can name"),
    (call("pu\\x00sh", {}), "with names that were not recorded as they were"),
]


@pytest.mark.parametrize(("event", "why"), LEFT_OUT)
def test_what_no_rule_can_be_made_of_is_counted(event: RecordedEvent, why: str) -> None:
    made = drafted(event)
    assert f"# Left out: 1 call {why}" in made
    assert "rules: []" in made


def test_nothing_seen_is_a_policy_without_rules() -> None:
    assert "rules: []" in drafted()
