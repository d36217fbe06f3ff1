"""What changes under a running session: the policy file, and the disk that the log is on."""

import os
from pathlib import Path

from tests.e2e.guard import ALLOW_ALL, Guard, server
from tests.e2e.wire import Wire, text_of, wire

NO_TWICE = """\
version: 1
rules:
  - {name: not twice, effect: deny, tools: [twice]}
  - {name: the rest, effect: allow}
"""


def tool_names(session: Wire) -> set[str]:
    return {tool["name"] for tool in session.request("tools/list")["result"]["tools"]}


def test_a_new_policy_is_in_force_on_the_next_call_and_the_client_is_told(guard: Guard) -> None:
    with wire(guard.command(server("odd"))) as session:
        session.open("2025-11-25")
        assert "twice" in tool_names(session)

        replace(guard.policy, NO_TWICE)
        denied = session.call("twice")
        assert denied["error"]["message"] == "Unknown tool: twice"
        assert {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"} in session.seen
        assert "twice" not in tool_names(session)

        replace(guard.policy, ALLOW_ALL)
        assert text_of(session.call("twice")) == "first"
    assert len(guard.events("policy.loaded")) == 3


def test_a_bad_policy_is_refused_and_the_last_good_one_stays(guard: Guard) -> None:
    replace(guard.policy, NO_TWICE)
    with wire(guard.command(server("odd"))) as session:
        session.open("2025-11-25")
        replace(guard.policy, ALLOW_ALL.replace("effect", "efect"))
        assert session.call("twice")["error"]["message"] == "Unknown tool: twice"
        assert text_of(session.call("answer")) == "ok"
        assert f"{guard.policy}:3:" in session.stderr()
    [rejected] = guard.events("policy.rejected")
    assert "error[" in str(rejected["data"])


def test_a_policy_that_is_gone_changes_nothing(guard: Guard) -> None:
    replace(guard.policy, NO_TWICE)
    with wire(guard.command(server("odd"))) as session:
        session.open("2025-11-25")
        guard.policy.unlink()
        assert session.call("twice")["error"]["message"] == "Unknown tool: twice"
        assert text_of(session.call("answer")) == "ok"


def replace(policy: Path, text: str) -> None:
    """As editors save: a new file in the place of the old one."""
    new = policy.with_suffix(".new")
    new.write_text(text)
    os.replace(new, policy)
