"""What is written before a call goes on, what follows, and what becomes of it when the log cannot be written."""

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.events import Event, Judged, ToolsListed
from mcp_guard.gate import Refusal
from mcp_guard.store import LiveRegistry, OutdatedError, SameClient, Store
from mcp_guard.store.registry import agents, grants, instances, overrides
from mcp_guard.store.registry.book import Book
from mcp_guard.store.writing import PREPARED_ROWS, Written
from mcp_guard.transports.ledger import BEAT, Ledger


class Log:
    """Stands in for the store: keeps the transactions, or refuses them."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.catalog: list[str] = []
        self.clients: list[str] = []
        self.beats: list[tuple[int, list[str]]] = []
        self.trouble = ""
        self.outdated = False
        self.overdrawn: set[str] = set()

    def record(self, events: list[Event]) -> Written:
        if self.trouble:
            raise GuardError(self.trouble)
        if self.outdated:
            raise OutdatedError
        self.transactions.append([event.id for event in events if event.id not in self.overdrawn])
        return Written({event.id: "budget-1" for event in events if event.id in self.overdrawn})

    def follow(self, event: Event) -> None:
        if self.trouble:
            raise GuardError(self.trouble)
        self.clients.append(event.id)

    def heard(self, instances: set[str], now: int) -> None:
        if self.trouble:
            raise GuardError(self.trouble)
        self.beats.append((now, sorted(instances)))

    def learn(self, listing: ToolsListed) -> None:
        if self.trouble:
            raise GuardError(self.trouble)
        self.catalog.append(listing.id)


@pytest.fixture
def log() -> Log:
    return Log()


def event(name: str, kind: str = "tool.decided") -> Event:
    return Event(id=name, ts=0, type=kind, connection_id="C")


def test_what_came_before_a_call_is_committed_with_it_in_order(log):
    ledger = Ledger(log)
    ledger.later(event("listed", "tools.listed"))
    ledger.later(event("connected", "agent.connected"))
    assert ledger.commit([event("call")]) == {}
    assert log.transactions == [["listed", "connected", "call"]]


def test_completions_wait_until_the_line_is_idle(log):
    ledger = Ledger(log)
    ledger.later(event("done", "tool.completed"))
    ledger.commit([event("call")])
    assert log.transactions == [["call"]]
    assert ledger.urgent
    ledger.flush()
    assert log.transactions == [["call"], ["done"]]
    assert not ledger.urgent


def test_many_completions_are_written_together(log):
    ledger = Ledger(log)
    for number in range(40):
        ledger.later(event(str(number), "tool.completed"))
    assert log.transactions == []
    ledger.commit([event("call")])
    assert [len(transaction) for transaction in log.transactions] == [41]
    for number in range(1000):
        ledger.later(event(str(number), "tool.completed"))
    assert [len(transaction) for transaction in log.transactions] == [41, 256, 256, 256]


def test_a_call_waits_for_no_more_rows_than_one_statement_takes(log):
    ledger = Ledger(log)
    for number in range(100):
        ledger.commit([event(f"call {number}")])
        ledger.later(event(f"done {number}", "tool.completed"))
    assert max(map(len, log.transactions)) == PREPARED_ROWS
    assert sum(map(len, log.transactions)) >= 200 - PREPARED_ROWS


def test_nothing_is_lost_where_the_line_is_never_idle(log):
    ledger = Ledger(log)
    for number in range(30_000):
        ledger.later(event(f"r{number}", "tool.changed"))
    assert ledger.close() is None
    assert [name for rows in log.transactions for name in rows] == [f"r{number}" for number in range(30_000)]


def test_a_log_that_cannot_be_written_says_why_and_nothing_is_lost_when_it_can_again(log):
    ledger = Ledger(log)
    log.trouble = "the disk is full"
    ledger.later(event("listed", "tools.listed"))
    ledger.later(event("done", "tool.completed"))
    ledger.flush()
    assert ledger.commit([event("call")]) == {"call": Refusal("the disk is full")}
    assert not ledger.urgent
    ledger.later(event("denied"))
    log.trouble = ""
    assert ledger.commit([event("next")]) == {}
    assert log.transactions == [["listed", "done", "denied", "next"]]


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (lambda book: overrides.add(book, "another", "*", "deny"), True),
        (lambda book: agents.create(book, "newcomer"), True),
        (lambda book: instances.disconnect(book, "another"), True),
        (lambda book: instances.disconnect(book, "C"), False),
        (lambda book: instances.disconnect(book, "C at its other server"), False),
        (lambda book: overrides.stop(book, None), False),
        (lambda book: grants.add(book, "cursor", "get_*", "allow"), False),
    ],
    ids=[
        "another is stopped",
        "another arrives",
        "another is disconnected",
        "it is disconnected",
        "its client is disconnected at another server",
        "everything is stopped",
        "it was granted something",
    ],
)
def test_a_change_while_a_call_is_judged_refuses_it_only_where_it_is_about_its_agent(tmp_path, change, written):
    path = str(tmp_path / "audit.db")
    store = Store.open(path)
    try:
        for connection in ("C", "C at its other server", "another"):
            store.follow(Event(id="0", ts=0, type="agent.connected", connection_id=connection, agent="cursor"))
        registry, client = LiveRegistry(store), SameClient()
        for connection in ("C", "C at its other server"):
            registry.joined(client, connection)
        ledger = Ledger(store, registry=registry)
        under = registry.snapshot("cursor", None)
        facts = {"ts": 0, "type": "tool.decided", "connection_id": "C", "agent": "cursor"}
        judged = Judged(id="call", registry=under.version, under=under, **facts)
        with Book(path, "kim") as book:
            change(book)
            refused = ledger.commit([event("before", "tools.listed"), judged])
            rows = [row["id"] for row in book.rows("SELECT id FROM events WHERE connection_id = 'C'")]
    finally:
        store.close()
    assert (refused == {}) is written
    assert rows == (["before", "call"] if written else [])


def test_a_decision_under_an_older_registry_is_not_written_and_may_be_made_again(log):
    ledger = Ledger(log)
    ledger.later(event("connected", "agent.connected"))
    log.outdated = True
    (refusal,) = ledger.commit([event("call")]).values()
    assert refusal.decided_by == "guard"
    assert "judge it anew" in refusal.reason
    assert ledger.failure is None
    log.outdated = False
    assert ledger.commit([event("again")]) == {}
    assert log.transactions == [["connected", "again"]]


def test_what_a_budget_refuses_is_told_and_the_rest_is_written(log):
    ledger = Ledger(log)
    log.overdrawn = {"second"}
    refused = ledger.commit([event("first"), event("second"), event("third")])
    assert {name: (one.decided_by, one.deciding) for name, one in refused.items()} == {"second": ("budget", "budget-1")}
    assert log.transactions == [["first", "third"]]


def test_memory_is_bounded_while_the_log_cannot_be_written_and_the_loss_is_told(log):
    ledger = Ledger(log)
    log.trouble = "the disk is full"
    for number in range(10_050):
        ledger.later(event(str(number), "message.rejected"))
    assert ledger.close() == "10050 events could not be written to the audit log: the disk is full"
    log.trouble = ""
    assert ledger.close() == "50 events could not be written to the audit log: None"


def listing(name: str, server: str = "files") -> ToolsListed:
    return ToolsListed(id=name, ts=0, type="tools.listed", connection_id="C", server=server)


def test_a_listing_goes_into_the_catalog_when_the_line_is_idle_and_no_call_waits_for_it(log):
    ledger = Ledger(log)
    for one in (listing("first"), listing("again"), listing("other", "mail")):
        ledger.later(one)
    ledger.commit([event("call")])
    assert log.transactions == [["first", "again", "other", "call"]]
    assert log.catalog == []
    assert ledger.urgent
    ledger.flush()
    assert log.catalog == ["again"]
    assert ledger.urgent
    ledger.flush()
    assert log.catalog == ["again", "other"]
    assert not ledger.urgent


def test_what_many_servers_list_is_learnt_one_at_a_time_and_all_of_it_by_the_end(log):
    ledger = Ledger(log)
    for number in range(50):
        ledger.later(listing(f"listed {number}", f"server {number}"))
    for moment in range(1, 6):
        ledger.flush()
        assert len(log.catalog) == moment
    ledger.close()
    assert log.catalog == [f"listed {number}" for number in range(50)]


def test_a_connection_that_ends_leaves_nothing_for_a_later_moment(log):
    ledger = Ledger(log)
    for number in range(50):
        ledger.later(event(f"went {number}", "agent.disconnected"))
    ledger.settle()
    assert len(log.clients) == 50
    assert not ledger.urgent


def test_who_came_and_went_is_kept_when_the_line_is_idle_also_where_a_call_was_committed_with_it(log):
    ledger = Ledger(log)
    ledger.commit([event("came", "agent.connected"), event("call")])
    ledger.later(event("went", "agent.disconnected"))
    assert log.clients == []
    ledger.flush()
    ledger.flush()
    assert log.clients == ["came", "went"]


def test_a_listing_that_cannot_be_kept_is_tried_again_and_then_let_go(log):
    ledger = Ledger(log)
    ledger.later(listing("listed"))
    ledger.commit([])
    log.trouble = "the disk is full"
    ledger.flush()
    log.trouble = ""
    ledger.flush()
    assert log.catalog == ["listed"]
    ledger.later(listing("listed again"))
    ledger.commit([])
    log.trouble = "the disk is full"
    for _ in range(100):
        ledger.flush()
    assert not ledger.urgent
    assert ledger.close() is None


def test_a_denial_that_waits_stands_whatever_has_changed_in_the_registry(tmp_path):
    """Otherwise one denial under an older registry would hold up every row that comes after it."""
    store = Store.open(str(tmp_path / "audit.db"))
    ledger = Ledger(store)
    ledger.later(Judged(id="denied", ts=0, type="tool.decided", connection_id="C", decision="deny", registry=-1))
    assert ledger.commit([event("call")]) == {}
    assert ledger.close() is None
    store.close()


def client(name: str, kind: str = "agent.connected", ts: int = 0) -> Event:
    return Event(id=f"{name}-{kind}", ts=ts, type=kind, connection_id=name)


def test_it_is_said_now_and_then_which_clients_are_there(log):
    ledger = Ledger(log)
    ledger.beat(BEAT)
    ledger.later(client("one", ts=BEAT))
    ledger.beat(BEAT + 1)  # its row has just said so
    ledger.later(client("two", ts=BEAT + 2))
    ledger.beat(2 * BEAT)
    ledger.beat(2 * BEAT + 1)
    ledger.later(client("one", "agent.disconnected"))
    ledger.beat(3 * BEAT)
    ledger.later(client("two", "agent.disconnected"))
    ledger.beat(4 * BEAT)
    assert log.beats == [(2 * BEAT, ["one", "two"]), (3 * BEAT, ["two"])]


def test_a_clock_that_is_set_back_silences_nobody(log):
    ledger = Ledger(log)
    ledger.later(client("one", ts=100 * BEAT))
    ledger.beat(5 * BEAT)
    assert log.beats == [(5 * BEAT, ["one"])]


def test_a_beat_that_cannot_be_written_is_let_go(log):
    ledger = Ledger(log)
    ledger.later(client("one"))
    log.trouble = "the disk is full"
    ledger.beat(BEAT)
    log.trouble = ""
    ledger.beat(2 * BEAT)
    assert log.beats == [(2 * BEAT, ["one"])]
    assert ledger.failure is None
