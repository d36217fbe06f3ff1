"""What the reports say about a call is what the gate does about it: replay, impact, access, explain, drafts, tests.

A real gate is driven under random policies with random calls; its events are recorded in a store, and the reports are
asked about that log.
"""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mcp_guard.events import Event
from mcp_guard.insight.access import access
from mcp_guard.insight.candidates import Candidate
from mcp_guard.insight.export import Specimens, policy_file
from mcp_guard.insight.foresight import comparison, foresee
from mcp_guard.insight.parallel import Question, parts
from mcp_guard.insight.recorded import OFFERS
from mcp_guard.insight.replay import NotReplayable, Replayed, Result, replay
from mcp_guard.insight.suggest.draft import draft
from mcp_guard.insight.suggest.observed import Seen, was_let_through
from mcp_guard.insight.tally import Tally
from mcp_guard.insight.world import known_tools, presences
from mcp_guard.policy import Call, Policy, Source, load
from mcp_guard.policy.inline_tests import run_tests
from mcp_guard.store.reader import Filters, RecordedEvent, read_events
from tests.insight.recordings import NOON, Recording, policy_of, record
from tests.policy.worlds import documents

TOOLS = ("get_a", "get_b", "put_a", "drop")
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from([1, 2, 1.0, True, "1", None]),
        "y": st.sampled_from(["abc", "b", "x", 3, "/srv/app/a", "/srv/app/b/c", "/srv/web"]),
        "list": st.lists(st.sampled_from([1, -1, "a"]), max_size=3),
        "password": st.sampled_from(["hunter2", "x"]),
        "header": st.sampled_from(["plain", "Bearer a1b2c3d4e5f6g7h8i9"]),
        "issue": st.sampled_from([{"x": 1}, {"X": 1}, {"x": 1, "X": 2}, {"x\0": 1, "password": "x"}, [{"X": 1}], "x"]),
    },
)
CALLS = st.lists(st.tuples(st.sampled_from(TOOLS), ARGUMENTS), min_size=2, max_size=12)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "agent": st.sampled_from(["claude-code", "cursor"]),
        "user": st.sampled_from(["alice@acme.com", "bob"]),
        "groups": st.sampled_from([(), ("admin",), ("dev",)]),
        "mode": st.sampled_from(["enforce", "observe"]),
        "audit_arguments": st.sampled_from(["full", "redacted", "redacted", "hashed", "none"]),
    },
)
SECRETIVE = st.sampled_from(
    [
        "request.args.password == 'x'",
        "has(request.args.password)",
        "request.args.?header.orValue('').startsWith('p')",
        "request.args.all(name, name != 'header')",
        "request.args.exists(name, request.args[name] == 'hunter2')",
        "size(request.args) < 3 && request.args.header == 'plain'",
        "request.args.list == ['a'] || request.args == {'password': 'x'}",
        "'a' in request.args.list",
        "request.args.header != 'plain' ? request.args.x == 1 : true",
        "string(request.args.y) == 'b'",
        "request.args.issue.x == 1",
        "has(request.args.issue.x) || request.args.x == 1",
        "request.args.?issue.x.orValue(0) != 1",
        "request.args.issue.exists(item, has(item.x))",
    ]
)


@st.composite
def policies(draw: st.DrawFn) -> str:
    document = draw(documents)
    for rule in document["rules"]:
        if draw(st.integers(0, 2)) == 0:
            rule["when"] = draw(SECRETIVE)
    return msgspec.json.encode(document).decode()


def conversations(text: str, calls: Any, clients: Any) -> list[Recording]:
    recordings = []
    for number, (client, server, facts) in enumerate(clients):
        one = Recording(text, TOOLS, id=f"i{number}", server=server, client=client, at=NOON + number, **facts)
        for tool, arguments in calls:
            one.call(tool, **arguments)
        recordings.append(one)
    return recordings


CLIENTS = st.lists(
    st.tuples(st.sampled_from(["claude-code", "Cursor", "other"]), st.sampled_from(["github", "files"]), FACTS),
    min_size=1,
    max_size=3,
)
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
RUNS = settings(
    max_examples=25,
    phases=PHASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def decisions(path: str) -> list[RecordedEvent]:
    return list(read_events(path, Filters(types=("tool.decided",))))


def true_calls(calls: Any, recordings: list[Recording]) -> dict[str, tuple[Recording, str, dict[str, Any]]]:
    """The calls as they were made, by the ids of their decisions."""
    made: dict[str, tuple[Recording, str, dict[str, Any]]] = {}
    for one in recordings:
        for event, (tool, arguments) in zip(decided(one), calls, strict=True):
            made[event.id] = (one, tool, arguments)
    return made


ASKED = st.lists(
    st.tuples(st.just("prompts/get"), st.fixed_dictionaries(
        {"name": st.sampled_from(["greet", "report"])},
        optional={"arguments": st.dictionaries(st.sampled_from(["x", "password"]), st.sampled_from(["b", "hunter2"]))},
    ))
    | st.tuples(st.sampled_from(["resources/read", "resources/subscribe"]), st.fixed_dictionaries(
        {"uri": st.sampled_from(["file:///srv/a", "file:///srv/../etc/passwd", "https://acme.com/%2e%2e/x", "db://t"])}
    ))
    | st.tuples(st.just("completion/complete"), st.fixed_dictionaries(
        {"ref": st.just({"type": "ref/prompt", "name": "greet"}), "argument": st.just({"name": "x", "value": "b"})}
    )),
    min_size=1,
    max_size=6,
)  # fmt: skip
OFFERED = ["prompts", "resources"]


@st.composite
def policies_for_all(draw: st.DrawFn) -> str:
    document = draw(documents)
    for rule in document["rules"]:
        kind = draw(st.sampled_from(["tools", *OFFERED, *OFFERED]))
        if kind in OFFERED:
            rule.pop("tools", None)
            rule.pop("when", None)
            names = ["greet", "rep*", "*"] if kind == "prompts" else ["file:///srv/*", "https://acme.com/*", "db://*"]
            rule[kind] = draw(st.lists(st.sampled_from(names), min_size=1))
            when = (
                ["mcp.prompt.name == 'greet'", "request.args.password == 'x'"]
                if kind == "prompts"
                else ["mcp.resource.uri.endsWith('a')"]
            )
            rule.update(draw(st.sampled_from([{}, *({"when": one} for one in when)])))
    for setting in ("ungoverned_prompts", "ungoverned_resources"):
        document.setdefault("settings", {})[setting] = draw(st.sampled_from(["allow", "deny"]))
    return msgspec.json.encode(document).decode()


@RUNS
@given(policies_for_all(), policies_for_all(), ASKED, CLIENTS)
def test_what_is_asked_of_prompts_and_resources_is_replayed_as_well(
    old: str, new: str, asked: Any, clients: Any
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        first, second = (conversations(text, [], clients) for text in (old, new))
        pairs: dict[str, Event | None] = {}
        for one, other in zip(first, second, strict=True):
            for method, params in asked:
                before, now = one.ask(method, **params), other.ask(method, **params)
                if before is not None:
                    pairs[before.id] = now
        path = record(Path(directory) / "audit.db", *first)
        events = list(read_events(path, Filters(types=tuple(OFFERS))))
        assert {event.id for event in events} == pairs.keys()
        for result in replay(events, policy_of(old)):
            assert_unchanged(result)
        for result in replay(events, policy_of(new)):
            gate = pairs[result.event.id]
            if isinstance(result, Replayed):
                assert result.now.outcome == (gate.decision if gate else "allow")
            else:
                assert "not kept" in result.why
        policy = policy_of(old)
        specimens = Specimens(policy)
        for result in replay(events, policy):
            specimens.add(result)
        tests = policy_file(specimens, "Recorded.")
        whole = load([Source("policy.json", old.encode()), Source("tests.yaml", tests.encode())])
        assert [found.failures for found in run_tests(whole.tests, whole) if not found.passed] == []


def counterparts(recordings: list[Recording], others: list[Recording]) -> dict[str, Event]:
    """The decisions of the second conversations on the same calls, by the ids of those of the first."""
    pairs = [zip(decided(one), decided(other), strict=True) for one, other in zip(recordings, others, strict=True)]
    return {first.id: second for pair in pairs for first, second in pair}


def decided(recording: Recording) -> list[Event]:
    return [event for event in recording.events if event.type == "tool.decided"]


@RUNS
@given(policies(), policies(), CALLS, CLIENTS)
def test_replay_says_what_the_gate_did_and_what_it_would_have_done(
    old: str, new: str, calls: Any, clients: Any
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        recordings = conversations(old, calls, clients)
        path = record(Path(directory) / "audit.db", *recordings)
        events = decisions(path)
        made = true_calls(calls, recordings)
        for result in replay(events, policy_of(old)):
            assert_unchanged(result)
        again = counterparts(recordings, conversations(new, calls, clients))
        for result in replay(events, policy_of(new), policy_of(old)):
            if isinstance(result, Replayed):
                gate = again[result.event.id]
                assert (gate.decision, gate.rule) == (result.now.outcome, result.now.rule or gate.rule)
                assert result.was == result.event.decision
            else:
                assert made[result.event.id][0].book.gate is not None
                assert "not kept" in result.why


def assert_unchanged(result: Result) -> None:
    if isinstance(result, NotReplayable):
        assert "not kept" in result.why, "a call with all of its arguments can be replayed"
        assert result.event.data.get("redacted")
    else:
        assert not result.changed
        assert result.now.rule in (result.event.rule, None)


@RUNS
@given(policies(), CALLS, CLIENTS)
def test_access_and_explain_say_what_the_gate_shows_and_does(text: str, calls: Any, clients: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        recordings = conversations(text, calls, clients)
        path = record(Path(directory) / "audit.db", *recordings)
        policy, catalog = policy_of(text), known_tools(path)
        for presence in presences(path, Filters()):
            principal = presence.principal(policy)
            (offered,) = access(policy, principal, catalog.only(presence.server))
            assert {tool.tool: tool.level for tool in offered.tools} == dict(presence.shown)
        for event_id, (one, tool, arguments) in true_calls(calls, recordings).items():
            event = next(event for event in one.events if event.id == event_id)
            principal = one.book.gate._session.client.principal  # who the gate took it for
            explained = policy.decide(Call(principal, event.server or "", tool, arguments), trace=True)
            assert (explained.outcome, explained.rule) == (event.decision, event.rule)
            (offered,) = access(policy, principal, catalog.only(event.server or ""))
            (shown,) = [entry for entry in offered.tools if entry.tool == tool]
            if event.decision != "deny":
                assert shown.level != "denied"
            if event.rule is not None:
                assert event.rule in [part.rule for part in shown.parts]
            elif shown.parts and event.decided_by != "guard":  # that denies what could be read in two ways
                assert not shown.settled


@RUNS
@given(policies(), policies(), CALLS, CLIENTS)
def test_impact_says_what_the_gate_would_show_and_do(old: str, new: str, calls: Any, clients: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        recordings = conversations(old, calls, clients)
        path = record(Path(directory) / "audit.db", *recordings)
        candidate = Candidate((Source("new.json", new.encode()),))
        found = foresee(path, comparison(candidate, None, None), Filters())
        again = conversations(new, calls, clients)
        levels = {id(one): shown_by(one) for one in again}
        told = {(one.at.server, one.at.tool, one.was, one.now) for one in found.shown}
        before = {(presence.server, presence.identity): presence.shown for presence in presences(path, Filters())}
        assert all(server in {presence.server for presence in found.presences} for server, *_ in told)
        for server, tool, was, now in told:
            assert any(shown.get(tool) == was for (where, _), shown in before.items() if where == server)
            assert any(
                level.get(tool) == now for one in again if server_of(one) == server for level in [levels[id(one)]]
            )
        tally = Tally()
        for _, part in parts(Question(path, Filters(), candidate, None, tally_for)):
            tally.merge(part)
        gate = counterparts(recordings, again)
        sure = [result for result in replay(decisions(path), policy_of(new)) if isinstance(result, Replayed)]
        assert tally.changed == sum(gate[result.event.id].decision != result.event.decision for result in sure)


def tally_for(policy: Policy) -> Tally:
    return Tally()


def server_of(recording: Recording) -> str | None:
    return recording.events[0].server


def shown_by(recording: Recording) -> dict[str, str]:
    data = next(event.data for event in recording.events if event.type == "agent.connected")
    members = {"allowed_tools": "allowed", "conditionally_allowed_tools": "conditional", "denied_tools": "denied"}
    return {tool: level for member, level in members.items() for tool in data[member]}  # pyright: ignore


@RUNS
@given(policies(), CALLS, CLIENTS)
def test_exported_tests_pass(text: str, calls: Any, clients: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = record(Path(directory) / "audit.db", *conversations(text, calls, clients))
        policy = policy_of(text)
        specimens = Specimens(policy)
        for result in replay(decisions(path), policy):
            specimens.add(result)
        tests = policy_file(specimens, "Recorded.")
        assert "hunter2" not in tests
        assert "Bearer" not in tests
        whole = load([Source("policy.json", text.encode()), Source("tests.yaml", tests.encode())])
        assert [result.failures for result in run_tests(whole.tests, whole) if not result.passed] == []


@RUNS
@given(policies(), CALLS, CLIENTS)
def test_a_draft_allows_the_calls_that_were_let_through_and_no_other(text: str, calls: Any, clients: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = record(Path(directory) / "audit.db", *conversations(text, calls, clients))
        seen = Seen()
        for event in decisions(path):
            seen.add(event)
        made = draft(seen, 3, ["Draft."])
        assert made == draft(seen, 3, ["Draft."])
        assert "hunter2" not in made
        assert "a1b2c3d4" not in made
        told_apart = "does not tell" not in made
        denied = {_identity(event) for event in decisions(path) if not was_let_through(event)}
        for result in replay(decisions(path), policy_of(made)):
            if isinstance(result, NotReplayable):
                continue
            let_through = was_let_through(result.event)
            if result.now.outcome == "allow":
                assert let_through
            elif let_through:
                assert not told_apart or _identity(result.event) in denied, "denied although no call like it was"


def _identity(event: RecordedEvent) -> tuple[Any, ...]:
    return event.agent, event.server, event.tool, msgspec.json.encode(event.data["arguments"])
