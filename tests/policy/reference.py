"""The rules of a policy walked plainly, as docs/policy.md tells it: no index, no memo, no plan. For comparison.

Reads the data that a policy file holds. Knows nothing of the package but the condition language.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mcp_guard import cel
from mcp_guard.policy import Principal

Document = Mapping[str, Any]
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
        if rule.get("status", "active") == "active" and is_for(rule, by, facts):
            yield rule


def is_for(rule: Mapping[str, Any], by: Principal, facts: Mapping[str, Any]) -> bool:
    def fits(field: str, name: str, tags: list[str]) -> bool:
        entries = rule.get(field)
        return entries is None or any(
            entry[4:] in tags if entry.startswith("tag:") and field not in ("users", "groups") else
            entry[9:] == by.instance if entry.startswith("instance:") and field == "agents" else
            re.fullmatch(".*".join(map(re.escape, entry.split("*"))), name, re.DOTALL) is not None
            if field == "tools" else entry == name
            for entry in ([entries] if isinstance(entries, str) else entries)
        )  # fmt: skip

    agent, user, mcp = facts["agent"], facts["user"], facts["mcp"]
    return (
        fits("agents", agent["slug"], agent["tags"])
        and fits("users", user["id"], [])
        and ("groups" not in rule or any(fits("groups", group, []) for group in user["groups"]))
        and fits("servers", mcp["slug"], mcp["tags"])
        and fits("tools", mcp["tool"]["name"], mcp["tool"]["tags"])
    )


def facts_of(document: Document, by: Principal, server: str, tool: str) -> dict[str, Any]:
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
            "tags": agent.get("tags", []),
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
            "tool": {"name": tool, "tags": list(dict.fromkeys(tool_tags))},
        },
    }
