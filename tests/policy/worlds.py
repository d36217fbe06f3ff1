"""Random policies and calls from a small world, so that scopes overlap and conditions hold about as often as not."""

import json
from typing import Any

from hypothesis import strategies as st

from mcp_guard.policy import Principal

AGENTS, USERS, GROUPS = ["claude-code", "cursor"], ["alice@acme.com", "bob"], ["admin", "dev"]
SERVERS, TOOLS = ["github", "files"], ["get_a", "get_b", "put_a", "tag:x"]
CONDITIONS = [
    "request.args.x == 1",
    "request.args.x > 1 || agent.slug == 'cursor'",
    "has(request.args.y) && request.args.y.startsWith('a')",
    "agent.verified && request.args.x == 2",
    "'admin' in user.groups",
    "mcp.tool.name.startsWith('get_')",
    "'x' in mcp.tool.tags || request.args.x == 1",
    "agent.tags.exists(t, t == 'a') ? request.args.x == 1 : false",
    "request.args.list.all(i, i > 0)",
    "size(request.args) == 0",
    "user.email.endsWith('@acme.com') && !has(request.args.y)",
    "mcp.tags[0] == 'a'",
    "1 / (size(user.groups) - size(user.groups)) == 1",
    "true",
    "request.args.x == 1 && false",
    "request.args[request.args.y] == 1",
    "request['args']['x'] == 1",
    "request.args.exists(name, name == 'x')",
    "'x' in request.args",
    "cel.bind(all, request.args, all.x == 1)",
    "[request.args].exists(all, all.x == 1)",
    "(size(user.groups) > 0 ? request.args : {'x': 1}).x == 1",
    "request.args == {}",
    "request.args.?x.orValue(1) == 1",
    "request.args.?x.hasValue() || user.groups.exists(g, g in request.args)",
    "has(request.args.x) ? request.args.x == 1 : agent.verified",
    "!has(request.args.x) || request.args.x == 1",
    "(has(request.args.x) && request.args.x == 1) || agent.risk == 'high'",
    "!(has(request.args.y) && has(request.args.y)) && 'b' in agent.tags",
]


def some(values: list[str]) -> st.SearchStrategy[str | list[str]]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3)


def rule(number: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"id": st.just(f"r{number}"), "effect": st.sampled_from(["allow", "deny", "require_approval"])},
        optional={
            "status": st.sampled_from(["active", "active", "draft", "disabled"]),
            "agents": some([*AGENTS, "tag:a", "tag:b", "instance:i1"]),
            "users": some(USERS),
            "groups": some(GROUPS),
            "servers": some([*SERVERS, "tag:a"]),
            "tools": some(["get_a", "put_a", "get_*", "*_a", "*", "tag:x", "tag:y"]),
            "when": st.sampled_from(CONDITIONS),
        },
    )


tags = st.lists(st.sampled_from(["a", "b"]), unique=True, max_size=2)
tool_tags = st.lists(st.sampled_from(["x", "y"]), unique=True, max_size=2)
documents = st.integers(0, 8).flatmap(
    lambda count: st.fixed_dictionaries(
        {
            "version": st.just(1),
            "agents": st.dictionaries(st.sampled_from(AGENTS), st.fixed_dictionaries({"tags": tags})),
            "users": st.dictionaries(
                st.sampled_from(USERS),
                st.fixed_dictionaries({"groups": st.lists(st.sampled_from(GROUPS), unique=True)}),
            ),
            "servers": st.dictionaries(
                st.sampled_from(SERVERS),
                st.fixed_dictionaries({
                    "tags": tags,
                    "tools": st.dictionaries(
                        st.sampled_from(["get_*", "get_a", "tag:x"]), st.fixed_dictionaries({"tags": tool_tags})
                    ),
                }),
            ),
            "rules": st.tuples(*(rule(number) for number in range(count))).map(list),
        }
    )
)  # fmt: skip
principals = st.builds(
    Principal,
    agent=st.sampled_from(AGENTS),
    user=st.sampled_from(USERS),
    groups=st.lists(st.sampled_from(GROUPS), unique=True, max_size=1).map(tuple),
    instance=st.sampled_from(["", "i1"]),
    verified=st.booleans(),
    tags=tags.map(tuple),
    risk=st.sampled_from(["low", "high"]),
)


def in_files(document: dict[str, Any], rules: int) -> list[str]:
    """A policy as two files: its first rules in the one, its other rules and what it says of servers in the other."""
    after = {"version": 1, "servers": document["servers"], "rules": document["rules"][rules:]}
    before = {key: value for key, value in document.items() if key != "servers"}
    return [json.dumps({**before, "rules": document["rules"][:rules]}), json.dumps(after)]


PROMPTS = ["review", "plan", "re*"]
RESOURCES: dict[str, tuple[list[str], bool]] = {
    "file:///data/a": (["file:///data/a"], False),
    "file:///data/b": (["file:///data/b"], False),
    "FILE:///data/a": (["FILE:///data/a", "file:///data/a"], False),
    "file:///data/%62": (["file:///data/%62", "file:///data/b"], False),
    "file:///data/x/": (["file:///data/x/", "file:///data/x"], False),
    "note://Work/a": (["note://Work/a", "note://work/a"], False),
    "note://work/a": (["note://work/a"], False),
    "file:///data/../etc": (["file:///data/../etc"], True),
    "file:///data/..%2Fetc": (["file:///data/..%2Fetc"], True),
    "note://work/a#b": (["note://work/a#b"], True),
    "notes": (["notes"], True),
}
"""URIs, each with all that it may be read as, and whether it may be read as something quite different."""

OFFER_CONDITIONS = {
    "tools": ["mcp.tool.name == 'get_a'", "has(mcp.tool) && request.args.x == 1"],
    "prompts": ["mcp.prompt.name.startsWith('re')", "has(mcp.prompt) ? request.args.x == 1 : agent.verified"],
    "resources": ["mcp.resource.uri.startsWith('file:///data/')", "!has(mcp.resource) || mcp.resource.uri.size() < 15"],
}
PLAIN_CONDITIONS = [one for one in CONDITIONS if "mcp.tool" not in one]


def offer_rule(number: int) -> st.SearchStrategy[dict[str, Any]]:
    """A rule about any kinds of offers, with a condition that such a rule may have."""
    scope = st.fixed_dictionaries(
        {"id": st.just(f"r{number}"), "effect": st.sampled_from(["allow", "deny", "require_approval"])},
        optional={
            "status": st.sampled_from(["active", "active", "active", "draft"]),
            "agents": some([*AGENTS, "tag:a"]),
            "servers": some([*SERVERS, "tag:a"]),
            "tools": some(["get_a", "get_*", "*"]),
            "prompts": some(["review", "re*", "*"]),
            "resources": some([
                "file:///data/a", "file:///data/*", "file:///data/x", "note://work/*", "note://Work/*", "*a", "*",
            ]),
        },
    )  # fmt: skip
    return scope.flatmap(with_a_condition)


def with_a_condition(rule: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    named = [field for field in OFFER_CONDITIONS if field in rule] or ["tools"]
    able = [*PLAIN_CONDITIONS, *(condition for field in named for condition in OFFER_CONDITIONS[field])]
    return st.just(rule) | st.sampled_from(able).map(lambda condition: {**rule, "when": condition})


offer_documents = st.integers(0, 6).flatmap(
    lambda count: st.fixed_dictionaries(
        {
            "version": st.just(1),
            "agents": st.dictionaries(st.sampled_from(AGENTS), st.fixed_dictionaries({"tags": tags})),
            "servers": st.dictionaries(st.sampled_from(SERVERS), st.fixed_dictionaries({"tags": tags})),
            "rules": st.tuples(*(offer_rule(number) for number in range(count))).map(list),
            "settings": st.fixed_dictionaries(
                {},
                optional={
                    "ungoverned_prompts": st.sampled_from(["allow", "deny"]),
                    "ungoverned_resources": st.sampled_from(["allow", "deny"]),
                },
            ),
        }
    )
)
prompts, resources = st.sampled_from(PROMPTS), st.sampled_from(list(RESOURCES))
servers, tools = st.sampled_from([*SERVERS, "other"]), st.sampled_from(TOOLS)
arguments = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from([1, 2, 1.0, True, "1", None]),
        "y": st.sampled_from(["abc", "b", "x", 3]),
        "list": st.lists(st.sampled_from([1, -1, "a"]), max_size=3),
    },
)
