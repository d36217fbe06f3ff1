"""The rules of a policy walked plainly, as docs/policy.md tells it: no index, no memo, no plan. For comparison.

Reads the data that a policy file holds. Knows nothing of the package but the condition language.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mcp_guard import cel
from mcp_guard.policy import Principal

Document = Mapping[str, Any]
FIELDS = {"tool": "tools", "prompt": "prompts", "resource": "resources"}
STRICTNESS = ["allow", "require_approval", "deny"]
OUTCOMES = {"allow": "allow", "gated": "allow", "deny": "deny", "require_approval": "require_approval"}


def decide(document: Document, by: Principal, server: str, tool: str, args: Any) -> tuple[str, str | None]:
    """The outcome for a call, and the id of the rule that decides, None for the default."""
    facts = {**facts_of(document, by, server, tool), "request": {"args": args}}
    for rule in rules_in_scope(document, by, server, tool):
        if holds(rule, facts) in (True, "error" if rule["effect"] == "deny" else True):
            return OUTCOMES[rule["effect"]], rule["id"]
    return "deny", None


def reachable(document: Document, by: Principal, server: str, tool: str) -> set[str]:
    """The outcomes that some arguments could reach, as far as partial evaluation can tell."""
    facts = facts_of(document, by, server, tool)
    found: set[str] = set()
    for rule in rules_in_scope(document, by, server, tool):
        standing = holds(rule, facts, partial=True)
        if standing is True or (standing == "error" and rule["effect"] == "deny"):
            return found | {OUTCOMES[rule["effect"]]}
        if standing == "unknown":
            found.add(OUTCOMES[rule["effect"]])
    return found | {"deny"}


def decide_prompt(document: Document, by: Principal, server: str, name: str, args: Any) -> tuple[str, str | None]:
    """The same for a prompt."""
    facts = {**facts_of(document, by, server, "", {"prompt": {"name": name}}), "request": {"args": args}}
    return _walk(document, "prompt", name, by, facts)


def decide_resource(
    document: Document, by: Principal, server: str, readings: list[str], doubtful: bool
) -> tuple[str, str | None]:
    """The same for a resource: the strictest of what its readings get; a doubtful one is denied where any rule that is
    for its caller tells resources apart before another has decided.
    """
    found = [
        _walk(document, "resource", uri, by, facts, doubtful)
        for uri in readings
        for facts in [{**facts_of(document, by, server, "", {"resource": {"uri": uri}}), "request": {"args": {}}}]
    ]
    return max(found, key=lambda one: STRICTNESS.index(one[0]))


def _walk(
    document: Document, kind: str, name: str, by: Principal, facts: Mapping[str, Any], doubtful: bool = False
) -> tuple[str, str | None]:
    for rule in document["rules"]:
        if rule.get("status", "active") != "active" or kind not in about(rule) or not is_for_caller(rule, by, facts):
            continue
        entries = rule.get(FIELDS[kind])
        entries = [entries] if isinstance(entries, str) else entries
        tells_apart = "mcp.resource" in rule.get("when", "") or (entries is not None and "*" not in entries)
        if doubtful and tells_apart:
            return "deny", None
        if entries is not None and not any(fits_pattern(entry, name) for entry in entries):
            continue
        if holds(rule, facts) in (True, "error" if rule["effect"] == "deny" else True):
            return OUTCOMES[rule["effect"]], rule["id"]
    return ("deny" if is_closed(document, kind) else "allow"), None


def about(rule: Mapping[str, Any]) -> list[str]:
    """The kinds that a rule speaks of."""
    named = [kind for kind, field in FIELDS.items() if field in rule]
    condition = rule.get("when", "")
    asks = any(word in condition for word in ("request", "mcp.tool", "mcp.prompt", "mcp.resource"))
    return named or (list(FIELDS) if rule["effect"] == "deny" and not asks else ["tool"])


def is_closed(document: Document, kind: str) -> bool:
    """Whether what no rule matches is denied."""
    active = [rule for rule in document["rules"] if rule.get("status", "active") == "active"]
    closed = document.get("settings", {}).get(f"ungoverned_{FIELDS[kind]}") == "deny"
    return closed or any(FIELDS[kind] in rule for rule in active)


def fits_pattern(pattern: str, name: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def holds(rule: Mapping[str, Any], facts: Mapping[str, Any], *, partial: bool = False) -> bool | str:
    if "when" not in rule:
        return True
    program = cel.compile(rule["when"])
    try:
        value = program.partial(facts) if partial else program.evaluate(facts)
    except cel.EvaluationError:
        return "error"
    if value is cel.UNKNOWN:
        return "unknown"
    return value if isinstance(value, bool) else "error"


def rules_in_scope(document: Document, by: Principal, server: str, tool: str) -> Iterator[Mapping[str, Any]]:
    facts = facts_of(document, by, server, tool)
    for rule in document["rules"]:
        if rule.get("status", "active") == "active" and "tool" in about(rule) and is_for(rule, by, facts):
            yield rule


def is_for(rule: Mapping[str, Any], by: Principal, facts: Mapping[str, Any]) -> bool:
    """Whether a rule's scope fits, with the tool."""
    entries, tool = rule.get("tools"), facts["mcp"]["tool"]
    is_for_tool = entries is None or any(
        entry[4:] in tool["tags"] if entry.startswith("tag:") else fits_pattern(entry, tool["name"])
        for entry in ([entries] if isinstance(entries, str) else entries)
    )
    return is_for_tool and is_for_caller(rule, by, facts)


def is_for_caller(rule: Mapping[str, Any], by: Principal, facts: Mapping[str, Any]) -> bool:
    def fits(field: str, name: str, tags: list[str]) -> bool:
        entries = rule.get(field)
        return entries is None or any(
            entry[4:] in tags if entry.startswith("tag:") and field not in ("users", "groups") else
            entry[9:] == by.instance if entry.startswith("instance:") and field == "agents" else
            entry == name
            for entry in ([entries] if isinstance(entries, str) else entries)
        )  # fmt: skip

    agent, user, mcp = facts["agent"], facts["user"], facts["mcp"]
    return (
        fits("agents", agent["slug"], agent["tags"])
        and fits("users", user["id"], [])
        and ("groups" not in rule or any(fits("groups", group, []) for group in user["groups"]))
        and fits("servers", mcp["slug"], mcp["tags"])
    )


def facts_of(
    document: Document, by: Principal, server: str, tool: str, offer: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    agent = document.get("agents", {}).get(by.agent, {})
    user = document.get("users", {}).get(by.user, {})
    mcp = document.get("servers", {}).get(server, {})
    tool_tags = [
        tag
        for pattern, entry in mcp.get("tools", {}).items()
        if re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tool, re.DOTALL)
        for tag in entry.get("tags", [])
    ]
    return {
        "agent": {
            "id": by.agent,
            "slug": by.agent,
            "name": agent.get("name", by.agent),
            "tags": list(dict.fromkeys([*agent.get("tags", []), *by.tags])),
            "risk": by.risk,
            "verified": by.verified,
        },
        "user": {
            "id": by.user,
            "name": user.get("name", by.user),
            "email": user.get("email", by.user if "@" in by.user else ""),
            "groups": [*by.groups, *(group for group in user.get("groups", []) if group not in by.groups)],
            "verified": by.user_verified,
        },
        "mcp": {
            "id": server,
            "slug": server,
            "name": mcp.get("name", server),
            "tags": mcp.get("tags", []),
            **(offer or {"tool": {"name": tool, "tags": list(dict.fromkeys(tool_tags))}}),
        },
    }
