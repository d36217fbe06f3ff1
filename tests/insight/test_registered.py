"""Rules may ask what the registry says of an agent. Every report then says what the gate did."""

from pathlib import Path

from mcp_guard.insight.candidates import Candidate
from mcp_guard.insight.foresight import comparison, foresee
from mcp_guard.insight.replay import Replayed, replay
from mcp_guard.insight.subjects import Wanted, access_of, subjects
from mcp_guard.insight.world import known_tools
from mcp_guard.policy import Source
from mcp_guard.store import LiveRegistry, Store
from mcp_guard.store.reader import Filters, read_events
from mcp_guard.store.registry import agents
from mcp_guard.store.registry.book import Book
from tests.insight.recordings import NOON, Recording, policy_of, record

POLICY = """\
version: 1
rules:
  - {id: careful, effect: deny, tools: drop, when: agent.risk == "high"}
  - {id: trusted, effect: allow, agents: "tag:trusted"}
"""


def log_of(directory: Path, *tags: str) -> str:
    """The log of an agent that the registry knows, with the calls that it made; another one never connected."""
    path = str(directory / "audit.db")
    with Book(path, "ann", lambda: NOON) as book:
        agents.create(book, "claude-code", tags=list(tags), risk="high")
        agents.create(book, "codex", tags=["trusted"])
    with_registry = Store.open(path)
    recording = Recording(POLICY, ["read", "drop"], registry=LiveRegistry(with_registry))
    assert [recording.call("read").decision, recording.call("drop").decision] == ["allow" if tags else "deny", "deny"]
    with_registry.close()
    return record(directory / "audit.db", recording)


def access_to(path: str, agent: str) -> dict[str, str]:
    policy = policy_of(POLICY)
    (found,) = access_of(policy, subjects(path, policy, Wanted(agent=agent)), known_tools(path))
    return {tool.tool: tool.level for server in found.servers for tool in server.tools}


def test_replay_decides_as_the_gate_did(tmp_path: Path) -> None:
    results = list(replay(read_events(log_of(tmp_path, "trusted"), Filters()), policy_of(POLICY)))
    assert [isinstance(one, Replayed) and not one.changed for one in results] == [True, True]


def test_access_is_what_the_agent_has_with_its_tags_and_risk_connected_or_not(tmp_path: Path) -> None:
    path = log_of(tmp_path, "trusted")
    assert access_to(path, "claude-code") == {"read": "allowed", "drop": "denied"}
    assert access_to(path, "codex") == {"read": "allowed", "drop": "allowed"}
    assert access_to(path, "stranger") == {"read": "denied", "drop": "denied"}


def test_access_follows_the_registry_without_a_new_connection(tmp_path: Path) -> None:
    path = log_of(tmp_path)
    assert access_to(path, "claude-code") == {"read": "denied", "drop": "denied"}
    with Book(path, "ann", lambda: NOON) as book:
        agents.update(book, "claude-code", tags=["trusted"], risk="low")
    assert access_to(path, "claude-code") == {"read": "allowed", "drop": "allowed"}


def test_impact_counts_the_agents_that_have_the_tag(tmp_path: Path) -> None:
    path = log_of(tmp_path, "trusted")
    asked = comparison(Candidate((Source("policy.yaml", POLICY.encode()),)), "trusted", None)
    (impact,) = foresee(path, asked, Filters()).impacts
    assert [presence.identity.agent for presence in impact.callers] == ["claude-code"]
    assert [at.tool for at in impact.tools] == ["drop", "read"]
