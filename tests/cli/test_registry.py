"""The commands over the registry: who may use them, what they refuse, and what they tell of names nobody knows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_guard.events import ToolsListed
from mcp_guard.store import Store
from mcp_guard.store.registry import agents, overrides
from mcp_guard.store.registry.book import Book
from tests.cli.shell import Run

NOON = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z in microseconds


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_GUARD_DB", str(tmp_path / "audit.db"))
    monkeypatch.delenv("MCP_GUARD_TOKEN", raising=False)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A registry with the agents `cursor` and `old-bot`, which was deleted; and with two servers' tools."""
    path = tmp_path / "audit.db"
    with Book(str(path), "ann") as book:
        agents.create(book, "cursor")
        agents.create(book, "old-bot")
        agents.delete(book, "old-bot")
    store = Store.open(str(path))
    for server, tool in (("files", "read_file"), ("every", "get-env")):
        listing = ToolsListed(
            id=f"01JD-{server}",
            ts=NOON,
            type="tools.listed",
            connection_id="01JD",
            server=server,
            data={"tools": {tool: "5f"}},
            definitions=((tool, json.dumps({"name": tool}).encode()),),
        )
        store.learn(listing)
    store.close()
    return path


LOOKS = (
    ("agents", "list"),
    ("agents", "show", "cursor"),
    ("agents", "tokens"),
    ("agents", "keys", "list"),
    ("agents", "issuers", "list"),
    ("instances", "list"),
    ("grants", "list"),
    ("overrides", "list"),
    ("budgets", "list"),
    ("evals", "list"),
    ("approvals", "list"),
)


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_a_look_needs_no_key_and_makes_nothing(registry: Path, run: Run, words: tuple[str, ...]) -> None:
    (registry.parent / "audit.db.key").unlink()
    before = {file.name: file.read_bytes() for file in registry.parent.iterdir()}
    assert run(*words)[0] == 0
    assert {file.name: file.read_bytes() for file in registry.parent.iterdir()} == before


ABOUT_WHAT_IS_THERE = (
    *LOOKS,
    ("log",),
    ("stop", "--all"),
    ("stop", "--agent", "cursor"),
    ("resume", "--all"),
    ("agents", "quarantine", "cursor"),
    ("instances", "disconnect", "01M7YXM50RDX12AYDBE7JH1MAH"),
    ("approvals", "approve", "01M7YXM50RDX12AYDBE7JH1MAH-a1"),
)


@pytest.mark.parametrize("words", ABOUT_WHAT_IS_THERE, ids=" ".join)
def test_a_mistyped_file_is_told_of_and_not_made(tmp_path: Path, run: Run, words: tuple[str, ...]) -> None:
    status, out, err = run(*words, "--db", str(tmp_path / "deep" / "typo.db"))
    assert (status, out) == (2, "")
    assert "there is no audit log at" in err
    assert list(tmp_path.iterdir()) == []


def test_what_is_said_ahead_makes_the_file(tmp_path: Path, run: Run) -> None:
    assert run("grants", "add", "--agent", "cursor", "--tool", "get_*")[0] == 0
    assert (tmp_path / "audit.db").exists()


CHANGES = (
    ("agents", "create", "new-bot"),
    ("agents", "update", "cursor", "--risk", "low"),
    ("agents", "quarantine", "cursor"),
    ("agents", "restore", "old-bot"),
    ("agents", "delete", "cursor"),
    ("agents", "token", "cursor"),
    ("agents", "revoke-token", "x"),
    ("agents", "keys", "add"),
    ("agents", "keys", "retire", "x"),
    ("agents", "issuers", "remove", "https://login.acme.com"),
    ("instances", "disconnect", "x"),
    ("grants", "add", "--agent", "cursor", "--tool", "*"),
    ("grants", "revoke", "x"),
    ("overrides", "add", "--tool", "*", "--deny"),
    ("overrides", "remove", "x"),
    ("stop", "--all"),
    ("resume", "--all"),
    ("budgets", "set", "--agent", "cursor", "--calls", "3"),
    ("budgets", "remove", "x"),
    ("evals", "record", "cursor", "--pass-rate", "1"),
    ("evals", "require", "cursor", "--nothing"),
    ("approvals", "approve", "x"),
    ("approvals", "deny", "x"),
)


@pytest.mark.parametrize("words", CHANGES, ids=" ".join)
def test_an_agents_shell_changes_nothing(
    registry: Path, run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MCP_GUARD_TOKEN", "mcpg_x")
    before = registry.read_bytes()
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert "this is the shell of an agent" in err
    assert registry.read_bytes() == before


def test_an_agents_shell_may_look(registry: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_GUARD_TOKEN", "mcpg_x")
    assert run("agents", "list")[0] == 0


SWALLOWED = (
    ("grants", "add", "--agent", "cursor", "--tool", "--deny"),
    ("grants", "add", "--tool", "x", "--agent", "--deny"),
    ("grants", "add", "--agent", "cursor", "--tool", "x", "--reason", "--deny"),
    ("grants", "add", "--agent", "cursor", "--tool", "-deny"),
    ("grants", "add", "--agent", "cursor", "--tool", "files:-deny"),
    ("overrides", "add", "--deny", "--tool", "--require-approval"),
    ("agents", "update", "cursor", "--tag", "--risk"),
    ("stop", "--agent", "--reason"),
)


@pytest.mark.parametrize("words", SWALLOWED, ids=" ".join)
def test_an_option_is_no_value_of_the_one_before(registry: Path, run: Run, words: tuple[str, ...]) -> None:
    before = registry.read_bytes()
    assert run(*words)[0] == 2
    assert registry.read_bytes() == before


TWICE: dict[tuple[str, ...], str] = {
    ("stop", "--agent", "cursor", "--agent", "new-bot"): "--agent",
    ("stop", "--all", "--expires", "3d", "--expires", "2h"): "--expires",
    ("grants", "add", "--agent", "cursor", "--tool", "a", "--tool=b", "--deny"): "--tool",
    ("overrides", "add", "--tool", "a", "--tool", "b", "--deny"): "--tool",
    ("budgets", "set", "--agent", "cursor", "--calls", "5", "--enforce", "--no-enforce"): "--enforce",
    ("agents", "list", "--db", "a.db", "--db", "b.db"): "--db",
    ("run", "--mode", "observe", "--mode", "enforce", "--", "cat"): "--mode",
}


@pytest.mark.parametrize("words", TWICE, ids=" ".join)
def test_an_option_that_takes_one_value_is_not_given_two(registry: Path, run: Run, words: tuple[str, ...]) -> None:
    before = registry.read_bytes()
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert f"{TWICE[words]}: it takes one value, and came again" in err
    assert registry.read_bytes() == before


def test_what_is_repeatable_or_a_mere_switch_may_come_again(registry: Path, run: Run) -> None:
    assert run("agents", "update", "cursor", "--tag", "a", "--tag", "b", "--json", "--json")[0] == 0
    assert run("agents", "list", "--tag", "b", "--json")[1].count("cursor") == 1


STRANGE: dict[tuple[str, ...], str] = {
    ("stop", "--agent", "curosr"): "no agent `curosr` has connected or been registered yet; is it `cursor`?",
    ("agents", "token", "qqq"): "no agent `qqq` has connected or been registered yet",
    ("budgets", "set", "--agent", "curser", "--calls", "3"): "is it `cursor`?",
    ("evals", "record", "cursors", "--pass-rate", "1"): "is it `cursor`?",
    ("overrides", "add", "--agent", "kursor", "--tool", "*", "--deny"): "is it `cursor`?",
    ("grants", "add", "--agent", "cursor", "--tool", "every__get-env"): "is it `every:get-env`?",
    ("grants", "add", "--agent", "cursor", "--tool", "reed_file"): "is it `read_file`?",
    ("overrides", "add", "--tool", "flies:read_file", "--deny"): "is it `files:read_file`?",
}


@pytest.mark.parametrize("words", STRANGE, ids=" ".join)
def test_a_name_that_nobody_knows_is_taken_and_told_of(registry: Path, run: Run, words: tuple[str, ...]) -> None:
    status, out, err = run(*words)
    assert status == 0
    assert out
    assert err.startswith("mcp-guard: note: ")
    assert STRANGE[words] in err


@pytest.mark.parametrize("tool", ["read_file", "files:*", "*", "every:get-*"])
def test_a_name_that_is_known_is_not_told_of(registry: Path, run: Run, tool: str) -> None:
    assert run("grants", "add", "--agent", "cursor", "--tool", tool)[2] == ""


BAD_CHOICES: dict[tuple[str, ...], str] = {
    ("agents", "list", "--status", "zzz"): "active, quarantined, deleted",
    ("approvals", "list", "--status", "zz"): "pending, approved",
    ("budgets", "set", "--agent", "cursor", "--usd", "3", "--per", "hour"): "--per is for calls",
    ("budgets", "set", "--agent", "cursor", "--calls", "3", "--per", "week"): "minute",
    ("agents", "token", "cursor", "--expires", "soon"): "`2h`, `30m`, `3d`, `2w`, `today` (its end)",
}


@pytest.mark.parametrize("words", BAD_CHOICES, ids=" ".join)
def test_a_choice_that_is_none_is_refused_with_those_there_are(
    registry: Path, run: Run, words: tuple[str, ...]
) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert BAD_CHOICES[words] in err
    assert "yesterday" not in err


def test_what_is_stopped_for_every_agent_says_so_to_people(registry: Path, run: Run) -> None:
    assert "agent       (all)\n" in run("stop", "--all")[1]
    assert "  (all)  *      deny" in run("overrides", "list")[1]
    assert "  (all)  *      deny" in run("agents", "show", "cursor")[1]
    assert json.loads(run("resume", "--all", "--json")[1])[0]["agent"] is None


MISTYPED: dict[tuple[str, ...], str] = {
    ("agents", "show", "cursr"): "did you mean `cursor`?",
    ("agents", "quarantine", "cursr"): "did you mean `cursor`?",
    ("agents", "show", "xyzzy"): "`mcp-guard agents list` shows those that there are",
}


@pytest.mark.parametrize("words", MISTYPED, ids=" ".join)
def test_of_an_agent_that_is_none_it_is_said_which_may_be_meant(
    registry: Path, run: Run, words: tuple[str, ...]
) -> None:
    status, _, err = run(*words)
    assert (status, err) == (2, f"mcp-guard: error: there is no agent `{words[-1]}`\n  hint: {MISTYPED[words]}\n")


EMPTY: dict[tuple[str, ...], str] = {
    ("agents", "list", "--tag", "none"): "no agents match",
    ("agents", "list", "--status", "quarantined"): "no agents match",
    ("approvals", "list"): "nothing waits for a person",
    ("approvals", "list", "--status", "denied"): "no approvals match",
    ("grants", "list"): "no grants\n",
    ("grants", "list", "--agent", "cursor"): "no grants match",
    ("grants", "list", "--agent", ""): "no grants match",
    ("instances", "list", "--agent", "cursor"): "`cursor` is not connected",
}


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_an_empty_list_says_whether_it_is_the_question(registry: Path, run: Run, words: tuple[str, ...]) -> None:
    status, out, _ = run(*words)
    assert status == 0
    assert out.startswith(EMPTY[words])


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have what is printed go to a terminal of so many columns, without colours."""

    def terminal(columns: int) -> None:
        for name, value in {"COLUMNS": str(columns), "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}.items():
            monkeypatch.setenv(name, value)

    return terminal


@pytest.fixture
def overridden(registry: Path) -> Path:
    """With two overrides that say the same but of whom and what."""
    with Book(str(registry), "ann", lambda: NOON) as book:
        for agent, tool in (("cursor", "delete_everything"), ("old-bot", "get_*")):
            until = NOON + 3_600_000_000
            overrides.add(book, agent, tool, "require_approval", reason="the code is frozen", expires=until)
    return registry


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 200])
def test_nothing_is_missing_in_a_terminal_however_narrow(
    overridden: Path, run: Run, terminal: Callable[[int], None], columns: int
) -> None:
    terminal(columns)
    given = json.loads(run("overrides", "list", "--expired", "--json")[1])
    printed = run("overrides", "list", "--expired")[1]
    for row in given:
        for field in ("id", "agent", "pattern", "effect", "created_by", "reason"):
            assert row[field] in printed
    assert "UNTIL" in printed


def test_a_column_that_says_the_same_on_every_line_makes_room_and_is_told_of(
    overridden: Path, run: Run, terminal: Callable[[int], None]
) -> None:
    terminal(80)
    *_, last = run("overrides", "list", "--expired")[1].splitlines()
    assert "on every line: EFFECT require_approval, STOP no, BY ann" in last
    assert "REASON the code is frozen" in last


def test_tags_are_replaced_and_can_be_taken_away(registry: Path, run: Run) -> None:
    def tags(*words: str) -> list[str]:
        status, printed, _ = run("agents", "update", "cursor", *words, "--json")
        assert status == 0
        return json.loads(printed)["tags"]

    assert tags("--tag", "fleet", "--tag", "new") == ["fleet", "new"]
    assert tags("--tag", "old") == ["old"]
    assert tags("--owner", "ann") == ["old"]
    assert tags("--no-tags") == []
    status, _, err = run("agents", "update", "cursor", "--tag", "a", "--no-tags")
    assert status == 2
    assert "--no-tags" in err


def test_a_long_name_pushes_nothing_out(registry: Path, run: Run, terminal: Callable[[int], None]) -> None:
    assert run("agents", "create", "a" * 100, "--risk", "low", "--tag", "fleet")[0] == 0
    assert run("agents", "update", "cursor", "--tag", "fleet")[0] == 0
    terminal(80)
    printed = run("agents", "list", "--tag", "fleet")[1]
    for heading in ("STATUS", "RISK", "TAGS fleet", "REVIEWED", "SINCE"):
        assert heading in printed


def test_where_all_agents_were_deleted_it_is_said_how_to_see_them(registry: Path, run: Run) -> None:
    assert run("agents", "delete", "cursor")[0] == 0
    assert "--status deleted" in run("agents", "list")[1]
    assert "old-bot" in run("agents", "list", "--status", "deleted")[1]


def test_a_deleted_agent_is_not_quarantined(registry: Path, run: Run) -> None:
    status, _, err = run("agents", "quarantine", "old-bot")
    assert status == 2
    assert "agents restore old-bot" in err
    assert "old-bot" in run("agents", "list", "--status", "deleted")[1]
