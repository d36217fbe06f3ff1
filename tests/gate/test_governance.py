"""What of the registry a client gets to feel: stops and quarantines with their reasons, lists that change, its end."""

import pytest

from mcp_guard.gate import Admitted, Connection, Denied, End, Gate, Refusal
from mcp_guard.governance import NoRegistry, Snapshot
from mcp_guard.governance.snapshot import Budget, Grant, Override
from tests.gate.playbook import (
    ALLOW_ALL,
    FILES_TOOLS,
    META,
    Playbook,
    call,
    connected,
    notification,
    policy_of,
    request,
    result,
    tool,
)

BRAKE = Override("o1", "*", "deny", reason="incident 7", brake=True)
BY_RISK = """
version: 1
rules:
  - {name: careful, effect: deny, when: agent.risk == "high" || agent.status == "quarantined"}
  - {name: tagged, effect: deny, agents: "tag:new"}
  - {name: all, effect: allow}
"""


class Registry(NoRegistry):
    """A registry of one's own: what it says of every agent, and of which agents it was asked."""

    def __init__(self) -> None:
        self.facts: dict[str, object] = {}
        self.end: str | None = None
        self.version = self.seen = 1
        self.asked: list[str] = []

    def snapshot(self, agent, credential) -> Snapshot:
        self.asked.append(agent)
        return Snapshot(agent, self.version, **self.facts)

    @property
    def changes(self) -> int:
        return self.seen

    def refresh(self, now: int) -> int:
        self.seen = self.version
        return self.seen

    def ended(self, instance: str) -> str | None:
        return self.end

    def change(self, **facts: object) -> None:
        self.facts = facts
        self.version += 1


class Governed(Playbook):
    def __init__(self, policy: str = ALLOW_ALL, **facts: object) -> None:
        super().__init__(policy)
        self.registry = Registry()
        self.gate = Gate(Connection(id="C", server="files", user="kim", **facts), policy_of(policy), self.registry)

    def changed(self, **facts: object):
        self.registry.change(**facts)
        return self.turn(self.gate.registry_changed(self._tick()))


def governed(policy: str = ALLOW_ALL, **facts: object) -> Governed:
    """A governed gate whose legacy handshake is done and whose upstream's tools are listed."""
    book = Governed(policy, **facts)
    client = {"name": "claude-code", "version": "2.1"}
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo=client, capabilities={}))
    offers = {"tools": {}, "prompts": {}, "resources": {}}
    book.upstream(
        result(0, protocolVersion="2025-11-25", serverInfo={"name": "files", "version": "1"}, capabilities=offers)
    )
    listing = book.client(notification("notifications/initialized")).upstream[1]
    book.upstream(result(listing["id"], tools=[tool(one) if isinstance(one, str) else one for one in FILES_TOOLS]))
    return book


def denial(book: Governed, request_id: int = 7) -> tuple[Denied, str]:
    turn = book.client(call(request_id, "read_file", path="x"))
    (denied,) = turn.outputs
    assert isinstance(denied, Denied)
    return denied, turn.client[0]["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("facts", "layer", "says"),
    [
        ({"status": "quarantined"}, "quarantine", "quarantined"),
        ({"overrides": (BRAKE,)}, "override", "incident 7"),
        ({"overrides": (Override("o2", "read_*", "deny", reason="freeze"),)}, "override", "freeze"),
        ({"grants": (Grant("g1", "files:read_file", "deny", reason="not yours"),)}, "grant", "not yours"),
        ({"barred": "the key that this client came with was revoked"}, "guard", "revoked"),
    ],
)
def test_what_is_stopped_is_said_with_its_reason_also_where_the_policy_shows_the_tool(facts, layer, says) -> None:
    book = governed()
    book.changed(**facts)
    denied, text = denial(book)
    assert denied.event.decided_by == layer
    assert says in text


def test_a_change_is_in_force_for_the_next_call_and_the_row_says_under_which_version() -> None:
    book = governed()
    first = book.client(call(1, "read_file", path="x")).outputs[0]
    assert isinstance(first, Admitted)
    assert first.event.registry == 1
    book.changed(overrides=(BRAKE,))
    denied, _ = denial(book)
    assert denied.event.registry == 2
    book.changed()
    assert isinstance(book.client(call(3, "read_file", path="x")).outputs[0], Admitted)


def test_the_row_says_what_the_registry_said_of_the_agent_so_that_it_can_be_decided_again() -> None:
    book = governed(user_verified=True)
    assert "registry" not in book.client(call(1, "read_file", path="x")).events[0].data
    book.changed(tags=("trusted",), risk="high")
    data = book.client(call(2, "read_file", path="x")).events[0].data
    assert data["registry"] == {"tags": ("trusted",), "risk": "high"}
    assert data["user_verified"] is True


def test_the_client_hears_that_its_lists_changed_only_where_they_did() -> None:
    book = governed()
    told = {message["method"] for message in book.changed(overrides=(BRAKE,)).client}
    assert "notifications/tools/list_changed" in told
    book.registry.version += 1
    assert book.turn(book.gate.registry_changed(0)).client == []


def test_a_stopped_tool_is_not_listed_and_comes_back() -> None:
    book = governed()

    def shown(request_id: int) -> list[str]:
        book.client(request(request_id, "tools/list"))
        listed = [tool(one) if isinstance(one, str) else one for one in FILES_TOOLS]
        answer = book.upstream(result(request_id, tools=listed)).client[0]
        return [one["name"] for one in answer["result"]["tools"]]

    assert "read_file" in shown(1)
    book.changed(overrides=(Override("o2", "read_*", "deny"),))
    assert "read_file" not in shown(2)
    book.changed()
    assert "read_file" in shown(3)


@pytest.mark.parametrize("method", ["prompts/get", "resources/read"])
def test_the_brake_stops_prompts_and_resources_that_no_rule_speaks_of(method: str) -> None:
    book = governed()
    params = {"name": "review"} if method == "prompts/get" else {"uri": "file:///a"}
    assert book.client(request(1, method, **params)).upstream
    book.changed(overrides=(BRAKE,))
    turn = book.client(request(2, method, **params))
    assert turn.upstream == []
    assert turn.events[0].decided_by == "override"


@pytest.mark.parametrize("facts", [{"risk": "high"}, {"tags": ("new",)}])
def test_rules_may_ask_what_the_registry_says_of_an_agent(facts: dict[str, object]) -> None:
    book = governed(BY_RISK)
    assert isinstance(book.client(call(1, "read_file", path="x")).outputs[0], Admitted)
    book.changed(**facts)
    assert isinstance(book.client(call(2, "read_file", path="x")).outputs[0], Denied)


def test_a_budget_that_the_store_finds_spent_denies_with_what_is_left_of_the_time() -> None:
    book = governed()
    budget = Budget("b1", "hour", "calls", limit=3, spent=2, resets=3_600_000_000)
    book.changed(budgets=(budget,))
    admitted = book.client(call(1, "read_file", path="x")).outputs[0]
    assert isinstance(admitted, Admitted)
    assert admitted.event.charged
    book.registry.change(budgets=(Budget("b1", "hour", "calls", limit=3, spent=3, resets=3_600_000_000),))
    denied = book.gate.refuse(admitted, Refusal("spent", "budget", "b1"))
    assert (denied.event.decided_by, denied.event.rule, denied.event.charged) == ("budget", "b1", False)
    assert "free again in" in denied.line.decode()
    assert denial(book)[0].event.decided_by == "budget"


@pytest.mark.parametrize(
    "facts",
    [
        {"overrides": (Override("o1", "read_*", "deny", reason="freeze"),)},
        {"grants": (Grant("g1", "read_*", "deny"),)},
        {"budgets": (Budget("b1", "hour", "calls", limit=3, spent=3, resets=3_600_000_000),)},
    ],
    ids=["override", "grant", "budget"],
)
def test_in_observe_mode_what_would_be_denied_is_recorded_and_runs(facts: dict[str, object]) -> None:
    book = governed(mode="observe")
    book.changed(**facts)
    admitted = book.client(call(1, "read_file", path="x")).outputs[0]
    assert isinstance(admitted, Admitted)
    assert (admitted.event.decision, admitted.event.data["forwarded"]) == ("deny", True)


@pytest.mark.parametrize(
    "facts",
    [{"overrides": (BRAKE,)}, {"status": "quarantined"}, {"status": "deleted"}, {"barred": "its key was revoked"}],
    ids=["brake", "quarantine", "deletion", "revoked key"],
)
@pytest.mark.parametrize(
    "asked",
    [
        call(7, "read_file", path="x"),
        request(7, "prompts/get", name="greet"),
        request(7, "resources/read", uri="file:///x"),
    ],
    ids=["tool", "prompt", "resource"],
)
def test_what_somebody_has_ordered_holds_in_observe_mode_too(facts: dict[str, object], asked: dict) -> None:
    book = governed(BY_RISK + "  - {name: p, effect: allow, prompts: '*', resources: '*'}\n", mode="observe")
    book.changed(**facts)
    denied = book.client(asked).outputs[0]
    assert isinstance(denied, Denied)
    assert (denied.event.decision, denied.event.data["forwarded"]) == ("deny", False)


def test_a_denial_that_is_only_recorded_does_not_stand_before_what_somebody_has_ordered() -> None:
    book = governed("version: 1\nrules: [{name: a, effect: allow}]\nsettings: {require_verified: true}", mode="observe")
    spent = Budget("b1", "hour", "calls", limit=3, spent=3, resets=3_600_000_000)
    book.changed(overrides=(BRAKE,), budgets=(spent,))
    assert isinstance(book.client(call(1, "read_file", path="x")).outputs[0], Denied)


def test_what_an_observed_agent_has_spent_is_looked_up_before_each_of_its_calls() -> None:
    book = governed(mode="observe")
    budget = Budget("b1", "hour", "calls", limit=1, spent=0, resets=3_600_000_000)
    book.changed(budgets=(budget,))
    first = book.client(call(1, "read_file", path="x")).outputs[0]
    book.registry.facts = {"budgets": (Budget("b1", "hour", "calls", limit=1, spent=1, resets=3_600_000_000),)}
    second = book.client(call(2, "read_file", path="x")).outputs[0]
    rows = [
        (one.event.decision, one.event.decided_by, one.event.charged, one.event.observed) for one in (first, second)
    ]
    assert rows == [("allow", "policy", True, True), ("deny", "budget", True, True)]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            request(7, "prompts/get", name="greet"),
            "Getting the prompt greet was denied. This agent is stopped: incident 7.",
        ),
        (
            request(7, "resources/read", uri="file:///x"),
            "Reading file:///x was denied. This agent is stopped: incident 7.",
        ),
    ],
    ids=["prompt", "resource"],
)
@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_stop_is_told_with_its_reason_also_of_what_is_not_shown_any_more(asked: dict, says: str, mode: str) -> None:
    book = governed(BY_RISK + "  - {name: p, effect: allow, prompts: '*', resources: '*'}\n", mode=mode)
    book.changed(overrides=(BRAKE,))
    assert book.client(asked).client[0]["error"]["message"].startswith(says)


def test_the_brake_says_whom_it_stops_and_how_to_let_go() -> None:
    book = governed()
    book.changed(overrides=(BRAKE,))
    assert "This agent is stopped: incident 7. A person lets it go on with `mcp-guard resume --agent" in denial(book)[1]
    book.changed(overrides=(Override("o1", "*", "deny", brake=True, for_all=True),))
    assert "Everything is stopped. A person lets it go on with `mcp-guard resume --all`" in denial(book, 8)[1]


def test_nothing_is_denied_that_somebody_has_let_go_again() -> None:
    book = governed()
    book.changed(overrides=(BRAKE,))
    book.registry.change()
    assert isinstance(book.client(call(7, "read_file", path="x")).outputs[0], Admitted)


def test_what_was_learnt_with_a_denial_is_still_told_to_the_client() -> None:
    book = governed()
    book.changed(overrides=(BRAKE,))
    book.registry.change(status="quarantined")
    assert denial(book)[0].event.decided_by == "quarantine"
    turn = book.turn(book.gate.registry_changed(5))
    assert "notifications/tools/list_changed" in [message.get("method") for message in turn.client]


def test_what_is_observed_of_an_agent_with_a_budget_is_judged_by_all_that_is_said_of_it_now() -> None:
    book = governed(BY_RISK, mode="observe")
    budgets = (Budget("b1", "hour", "calls", limit=9, spent=0, resets=3_600_000_000),)
    book.changed(budgets=budgets)
    book.registry.change(budgets=budgets, tags=("new",))
    observed = book.client(call(7, "read_file", path="x")).outputs[0]
    assert (observed.event.decision, observed.event.rule) == ("deny", "tagged")


@pytest.mark.parametrize(
    "asked",
    [
        request(7, "prompts/get", name="greet"),
        request(7, "resources/read", uri="file:///x"),
        request(7, "resources/subscribe", uri="file:///x"),
    ],
    ids=["prompt", "resource", "subscription"],
)
@pytest.mark.parametrize("facts", [{"overrides": (BRAKE,)}, {"status": "quarantined"}], ids=["brake", "quarantine"])
def test_what_no_rule_speaks_of_passes_no_stop_that_was_not_heard_of_yet(facts: dict, asked: dict) -> None:
    book = governed()
    assert book.client({**asked, "id": 6}).upstream
    book.registry.change(**facts)
    assert isinstance(book.client(asked).outputs[0], Denied)


UNKNOWN = [request(7, "tasks/result", taskId="t"), request(7, "acme/run", command="x"), notification("acme/run")]
STANDINGS = {
    "quarantined": ({"status": "quarantined"}, "quarantined"),
    "stopped": ({"overrides": (BRAKE,)}, "incident 7"),
    "revoked": ({"barred": "its key was revoked"}, "its key was revoked"),
}


@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("asked", UNKNOWN, ids=["a task", "a request", "a notification"])
@pytest.mark.parametrize("name", STANDINGS)
def test_what_nothing_is_decided_about_does_not_go_on_for_who_is_stopped(name: str, asked: dict, mode: str) -> None:
    facts, says = STANDINGS[name]
    book = governed(mode=mode)
    assert book.client({**asked, "id": 6} if "id" in asked else asked).upstream
    book.registry.change(**facts)
    turn = book.client(asked)
    assert (turn.upstream, turn.types) == ([], ["message.rejected"])
    assert says in turn.events[0].data["reason"]
    assert [says in answer["error"]["message"] for answer in turn.client] == ([True] if "id" in asked else [])


def test_who_is_stopped_may_still_do_what_asks_for_nothing() -> None:
    book = governed()
    book.changed(overrides=(BRAKE,))
    for number, method in enumerate(("ping", "logging/setLevel", "resources/unsubscribe", "tasks/cancel")):
        assert book.client(request(number + 10, method)).upstream
    assert book.client(notification("notifications/cancelled", requestId=10)).upstream


def test_who_is_stopped_is_told_of_no_task() -> None:
    wanted = {"toolsListChanged": True, "taskIds": ["t"]}
    for overrides, left in (((), wanted), ((BRAKE,), {"toolsListChanged": True})):
        book = governed()
        book.changed(overrides=overrides)
        (forwarded,) = book.client(request(7, "subscriptions/listen", notifications=dict(wanted))).upstream
        assert forwarded["params"]["notifications"] == left


PROVEN_ONLY = ALLOW_ALL + "\nsettings: {require_verified: true}\n"


@pytest.mark.parametrize(
    "asked",
    [
        request(7, "tools/call", name="read_file", arguments={"path": "x"}),
        request(7, "prompts/get", name="greet"),
        request(7, "resources/read", uri="file:///x"),
        request(7, "resources/subscribe", uri="file:///x"),
        request(7, "completion/complete", ref={"type": "ref/prompt", "name": "greet"}, argument={}),
        request(7, "tasks/result", taskId="t"),
    ],
    ids=lambda asked: asked["method"],
)
def test_who_only_says_who_it_is_gets_nothing_where_credentials_are_required(asked: dict) -> None:
    unproven = governed(PROVEN_ONLY).client(asked)
    (event,) = unproven.events
    assert event.decided_by == "guard" or event.type == "message.rejected"
    assert unproven.upstream == []
    assert governed(PROVEN_ONLY, agent="claude-code").client(asked).upstream == [asked]


@pytest.mark.parametrize(
    ("method", "listed"),
    [
        ("tools/list", {"tools": [tool("read_file")]}),
        ("prompts/list", {"prompts": [{"name": "greet"}]}),
        ("resources/list", {"resources": [{"uri": "file:///x", "name": "x"}]}),
        ("resources/templates/list", {"resourceTemplates": [{"uriTemplate": "file:///{x}", "name": "x"}]}),
    ],
)
def test_who_only_says_who_it_is_is_shown_nothing_where_credentials_are_required(method: str, listed: dict) -> None:
    (member,) = listed
    for facts, shown in (({}, []), ({"agent": "claude-code"}, listed[member])):
        book = governed(PROVEN_ONLY, **facts)
        book.client(request(7, method))
        assert book.upstream(result(7, **listed)).client[0]["result"][member] == shown


def test_a_list_is_shown_under_the_registry_as_it_is_now() -> None:
    book = governed()
    book.registry.change(status="quarantined")
    book.client(request(7, "tools/list"))
    shown = book.upstream(result(7, tools=[tool("read_file")])).client
    assert shown[0]["result"]["tools"] == []


def test_a_connection_that_somebody_ends_is_ended() -> None:
    book = governed()
    book.registry.end = "laptop lost"
    outputs = book.gate.registry_changed(0)
    assert [output.why for output in outputs if isinstance(output, End)] == [
        "this connection was ended from outside: laptop lost"
    ]
    denied, text = denial(book)
    assert denied.event.decided_by == "guard"
    assert "This connection was ended from outside: laptop lost" in text


def test_a_client_that_is_another_agent_by_then_does_not_go_on_after_its_end_was_ordered() -> None:
    book = Governed(BY_RISK + "  - {name: p, effect: allow, prompts: '*'}\n")
    for request_id, name in enumerate(("cursor", "another")):
        meta = {**META, "io.modelcontextprotocol/clientInfo": {"name": name, "version": "1"}}
        judged = book.client(request(request_id, "prompts/get", _meta=meta, name="x"))
        book.registry.end = "laptop lost"
    assert "ended from outside: laptop lost" in judged.client[0]["error"]["message"]


def test_an_observed_call_does_not_run_where_the_look_at_what_is_spent_hears_of_the_end() -> None:
    book = governed(mode="observe")
    book.changed(budgets=(Budget("b1", "hour", "calls", limit=9, spent=0, resets=3_600_000_000),))
    book.registry.end = "laptop lost"
    denied, text = denial(book)
    assert (denied.event.decided_by, denied.event.data["forwarded"]) == ("guard", False)
    assert "laptop lost" in text


def test_on_a_connection_that_is_to_end_nothing_passes_that_no_rule_speaks_of() -> None:
    book = governed()
    book.registry.end = "laptop lost"
    book.gate.registry_changed(0)
    assert isinstance(book.client(request(7, "resources/read", uri="file:///x")).outputs[0], Denied)


def test_a_call_that_was_judged_before_its_connection_was_ended_does_not_run() -> None:
    book = governed(mode="observe")
    admitted = book.client(call(1, "read_file", path="x")).outputs[0]
    assert isinstance(admitted, Admitted)
    book.registry.end = "laptop lost"
    book.gate.registry_changed(0)
    (denied,) = book.gate.again(admitted, 1)
    assert isinstance(denied, Denied)


def test_a_client_that_is_another_agent_now_stands_as_that_one_does() -> None:
    book = Governed()
    for request_id, name in enumerate(("cursor", "cursor", "another")):
        meta = {**META, "io.modelcontextprotocol/clientInfo": {"name": name, "version": "1"}}
        book.client(request(request_id, "prompts/get", _meta=meta, name="x"))
    assert book.registry.asked == ["cursor", "another"]


def test_without_a_registry_only_the_policy_decides() -> None:
    admitted = connected().client(call(1, "read_file", path="x")).outputs[0]
    assert isinstance(admitted, Admitted)
    assert admitted.event.registry is None


COSTS = """
version: 1
rules:
  - {name: dear, effect: allow, tools: write_file, cost: 0.25}
  - {name: mail, effect: deny, tools: send_mail, cost: 9}
  - {name: all, effect: allow}
"""


def test_a_row_says_what_a_call_cost_that_went_on_also_where_no_budget_counts_it():
    book = governed(COSTS)
    costs = [book.client(call(1, name)).events[0].data.get("usd") for name in ("write_file", "read_file", "send_mail")]
    assert costs == [0.25, None, None]
