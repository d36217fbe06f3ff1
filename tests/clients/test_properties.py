"""Whatever a configuration looks like: a guard goes in once, nothing else changes, and all of it comes out again."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.clients import changing, syntaxes
from mcp_guard.clients.planning import FilePlan, Wish, plan, unwrapped
from mcp_guard.clients.values import ConfigFile, sections
from mcp_guard.clients.wrapping import is_guard
from tests.clients.making import JSON_FILE, ONE, TOML_FILE, WISH, json_files, toml_files

FILES = st.one_of(st.tuples(st.just(JSON_FILE), json_files()), st.tuples(st.just(TOML_FILE), toml_files()))
WISHES = st.sampled_from([WISH, ONE])


def without_servers(file: ConfigFile, text: str) -> Any:
    data = syntaxes.data(file.syntax, text)
    for section in sections(file, data):
        container = data
        for name in section.at[:-1]:
            container = container[name]
        container[section.at[-1]] = list(section.servers) and "servers"
    return data


@given(FILES)
def test_all_that_is_no_server_stays_and_what_is_not_left_is_guarded(drawn: tuple[ConfigFile, str]) -> None:
    file, text = drawn
    made = plan(file, text, WISH)
    assert without_servers(file, made.after) == without_servers(file, text)
    after = {section.at: section.servers for section in sections(file, syntaxes.data(file.syntax, made.after))}
    for server in made.servers:
        entry = after[server.at][server.name]
        assert is_guard(entry) == (server.state in ("guard", "guarded")), server
        assert server.state != "left" or "cannot be changed with certainty" not in server.why


@given(FILES, WISHES)
def test_what_is_done_twice_is_done_once(drawn: tuple[ConfigFile, str], wish: Wish) -> None:
    file, text = drawn
    once = plan(file, text, wish)
    again = plan(file, once.after, wish)
    assert again.after == once.after


@given(FILES, WISHES)
def test_every_entry_can_be_put_back(drawn: tuple[ConfigFile, str], wish: Wish) -> None:
    file, text = drawn
    made = plan(file, text, wish)
    back, taken_out = unwrapped(file, made.after, text, made.entries)
    assert taken_out == list(made.entries)
    assert syntaxes.data(file.syntax, back) == syntaxes.data(file.syntax, text)


@given(json_files(), WISHES)
def test_a_client_that_writes_its_file_anew_is_no_hindrance(text: str, wish: Wish) -> None:
    made = plan(JSON_FILE, text, wish)
    rewritten = json.dumps({**syntaxes.data("json", made.after), "started": 7}, indent=2)
    back, taken_out = unwrapped(JSON_FILE, rewritten, text, made.entries)
    assert taken_out == list(made.entries)
    assert syntaxes.data("json", back) == {**syntaxes.data("json", text), "started": 7}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=FILES, wishes=st.lists(WISHES, min_size=1, max_size=3))
def test_on_disk_undoing_restores_every_byte(
    drawn: tuple[ConfigFile, str], wishes: list[Wish], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    file, text = drawn
    path = tmp_path / os.path.basename(file.path)
    path.write_bytes(text.encode())
    mine = msgspec.structs.replace(file, path=str(path))
    for wish in wishes:
        here = msgspec.structs.replace(
            wish, one=wish.one and (lambda _, section: str(tmp_path / f"{len(section.at)}.yaml"))
        )
        change = changing.prepare(mine, here)
        if change.is_needed:
            changing.carry_out(change)
    how = changing.undoing(mine)
    if how is not None:
        assert how.whole
        changing.undo(how)
    assert path.read_bytes() == text.encode()
    assert changing.undoing(mine) is None
    assert not list(tmp_path.glob("*.yaml"))


def test_plans_are_values() -> None:
    assert plan(JSON_FILE, "{}", WISH) == FilePlan(JSON_FILE, "{}", "{}", ())
