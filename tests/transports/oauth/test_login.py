"""Logging in to a remote server: with a browser, with a client's secret, with what was kept; and where it must fail."""

import asyncio
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mcp_guard.transports.http_upstream.link import Link
from mcp_guard.transports.http_upstream.streamable import StreamableUpstream
from mcp_guard.transports.oauth import callback, vault
from mcp_guard.transports.oauth.client import Client
from mcp_guard.transports.oauth.login import Login
from mcp_guard.transports.oauth.vault import FileVault, Kept
from tests.transports.http_upstream.remote import LIMIT, Heard, line, request, scenario
from tests.transports.oauth.authorization_server import World, visit, world


@pytest.fixture(autouse=True)
def any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that run side by side have no port to agree on."""
    monkeypatch.setattr(callback, "PORT", 0)


class Guard:
    """One run of the guard against the world's MCP server."""

    def __init__(self, around: World, home: Path, **client: Any) -> None:
        self.said: list[str] = []
        self.vault = FileVault(home)
        self.login = Login(Client(url=around.url, **client), self.vault, self.said.append, around.show)
        self.end = StreamableUpstream(Link(around.url, credentials=self.login), LIMIT)
        self.heard = Heard()
        self._last = 0

    async def ask(self) -> dict[str, Any]:
        """The answer to one request."""
        await self.end.start(self.heard)
        self._last += 1
        self.end.send(line(request(self._last, "ping")))
        return await self.heard.next()

    async def close(self) -> None:
        await self.end.close()


@pytest.mark.parametrize("apart", [False, True])
@scenario
async def test_a_person_logs_in_when_the_server_asks_and_the_request_goes_on(apart: bool, tmp_path: Path) -> None:
    async with world(apart=apart) as (around, _):
        guard = Guard(around, tmp_path)
        assert (await guard.ask())["result"] == {"ok": True}
        assert (len(around.asked), around.grants) == (1, ["authorization_code"])
        assert around.registered[0]["redirect_uris"][0].startswith("http://127.0.0.1:")
        assert around.asked[0] in guard.said[0]
        assert (await guard.ask())["result"] == {"ok": True}
        assert len(around.asked) == 1
        await guard.close()


@scenario
async def test_the_next_run_needs_no_login_and_no_flow(tmp_path: Path) -> None:
    async with world() as (around, server):
        first = Guard(around, tmp_path)
        await first.ask()
        await first.close()
        server.seen.clear()
        second = Guard(around, tmp_path)
        assert (await second.ask())["result"] == {"ok": True}
        assert [got.path for got in server.seen] == ["/mcp"]
        await second.close()


@scenario
async def test_a_token_that_is_about_to_end_is_refreshed_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(apart=True) as (around, server):
        guard = Guard(around, tmp_path)
        await guard.ask()
        later = time.time() + 3590
        monkeypatch.setattr("mcp_guard.transports.oauth.login.time", SimpleNamespace(time=lambda: later))
        statuses = len(server.seen)
        assert (await guard.ask())["result"] == {"ok": True}
        assert around.grants == ["authorization_code", "refresh_token"]
        assert len(server.seen) == statuses + 1, "the server saw the old token"
        await guard.close()


@scenario
async def test_a_token_that_the_server_takes_no_more_is_refreshed_without_a_person(tmp_path: Path) -> None:
    async with world(apart=True) as (around, _):
        first = Guard(around, tmp_path)
        await first.ask()
        await first.close()
        around.good.clear()
        second = Guard(around, tmp_path)
        assert (await second.ask())["result"] == {"ok": True}
        assert (around.grants[-1], len(around.asked)) == ("refresh_token", 1)
        await second.close()


@scenario
async def test_a_refresh_that_is_refused_asks_the_person_again(tmp_path: Path) -> None:
    async with world(apart=True) as (around, _):
        guard = Guard(around, tmp_path)
        await guard.ask()
        around.good.clear()
        around.refreshes.clear()
        assert (await guard.ask())["result"] == {"ok": True}
        assert around.grants[-2:] == ["refresh_token", "authorization_code"]
        await guard.close()


@scenario
async def test_many_requests_at_once_ask_the_person_once(tmp_path: Path) -> None:
    async with world() as (around, _):
        guard = Guard(around, tmp_path)
        await guard.end.start(guard.heard)
        for number in range(8):
            guard.end.send(line(request(number, "ping")))
        assert all([(await guard.heard.next())["result"]["ok"] for _ in range(8)])
        assert len(around.asked) == 1
        await guard.close()


@scenario
async def test_a_login_goes_on_when_the_client_stops_waiting_for_it(tmp_path: Path) -> None:
    async with world() as (around, _):
        guard = Guard(around, tmp_path)
        shown = asyncio.Event()
        released = asyncio.Event()

        async def show(url: str) -> bool:
            shown.set()
            await released.wait()
            return await around.show(url)

        guard.login._show = show
        asking = asyncio.ensure_future(guard.login.refused(401, "", None))
        await shown.wait()
        asking.cancel()
        released.set()
        while guard.login._running is not None:
            await asyncio.sleep(0)
        assert await guard.login.authorization() == "Bearer token-1"
        await guard.close()


@scenario
async def test_what_another_guard_of_the_same_user_got_is_used(tmp_path: Path) -> None:
    async with world() as (around, _):
        first, second = Guard(around, tmp_path), Guard(around, tmp_path)
        assert await second.login.authorization() is None
        await first.ask()
        assert (await second.ask())["result"] == {"ok": True}
        assert len(around.asked) == 1
        await first.close()
        await second.close()


ANOTHER = [
    {"person": False, "client_id": "me", "client_secret": "s3cret"},
    {"client_id": "me"},
    {"client_id": "me", "client_secret": "s3cret", "issuer": "named"},
    {"person": False, "client_id": "me", "client_secret": "s3cret", "scopes": ("read",)},
    {"scopes": ("read",)},
    {"scopes": ("read", "write")},
    {"name": "work"},
]


@pytest.mark.parametrize("second", ANOTHER)
@pytest.mark.parametrize("first", [{}, *ANOTHER])
@scenario
async def test_nobody_goes_with_the_token_of_another_login_to_the_same_server(
    first: dict[str, Any], second: dict[str, Any], tmp_path: Path
) -> None:
    async with world(secrets={"me": "s3cret"}) as (around, _):
        guards = [Guard(around, tmp_path, **_named(who, around)) for who in (first, second, first)]
        tokens: list[str | None] = []
        for guard in guards:
            tokens.append(await guard.login.authorization())
            if len(tokens) < 3:
                assert (await guard.ask())["result"] == {"ok": True}
            await guard.close()
        assert tokens == (
            [None, "Bearer token-1", "Bearer token-1"] if first == second else [None, None, "Bearer token-1"]
        )


def _named(who: dict[str, Any], around: World) -> dict[str, Any]:
    return {**who, "issuer": around.origin} if "issuer" in who else who


def test_the_order_of_scopes_makes_no_other_login_and_the_secret_is_no_part_of_it() -> None:
    one = Client(url="https://x/mcp", client_id="me", client_secret="s3cret", scopes=("a", "b"))
    other = Client(url="https://x/mcp", client_id="me", client_secret="newer", scopes=("b", "a", "b"))
    assert one.login == other.login
    assert "s3cret" not in one.login


# Without a person


@scenario
async def test_a_client_proves_itself_to_the_servers_own_origin(tmp_path: Path) -> None:
    async with world(secrets={"me": "s3cret"}) as (around, _):
        guard = Guard(around, tmp_path, person=False, client_id="me", client_secret="s3cret")
        assert (await guard.ask())["result"] == {"ok": True}
        assert (around.grants, around.asked) == (["client_credentials"], [])
        await guard.close()


@scenario
async def test_a_clients_secret_goes_to_no_other_origin_unless_it_is_named(tmp_path: Path) -> None:
    async with world(apart=True, secrets={"me": "s3cret"}) as (around, _):
        guard = Guard(around, tmp_path, person=False, client_id="me", client_secret="s3cret")
        message = (await guard.ask())["error"]["message"]
        assert "no authorization server was found that the client's secret may be sent to" in message
        assert around.grants == []
        named = Guard(around, tmp_path, person=False, client_id="me", client_secret="s3cret", issuer=around.origin)
        assert (await named.ask())["result"] == {"ok": True}
        await guard.close()
        await named.close()


@scenario
async def test_a_wrong_secret_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    async with world(secrets={"me": "other"}) as (around, _):
        guard = Guard(around, tmp_path, person=False, client_id="me", client_secret="s3cret")
        message = (await guard.ask())["error"]["message"]
        assert "gave no token" in message
        assert "s3cret" not in message
        await guard.close()


# Where it must fail


FAILURES = [
    ({"allows": False}, "it was not allowed"),
    ({"registers": False}, "does not let clients register themselves"),
    ({"metadata": {"issuer": "https://evil.example"}}, "did not succeed"),
    ({"metadata": {"authorization_endpoint": "http://evil.example/authorize"}}, "no address that may be opened"),
    ({"resource": {"resource": "https://another.example/mcp"}}, "did not succeed"),
    ({"metadata": {"token_endpoint": "http://127.0.0.1:1/token"}}, "cannot be reached"),
]


@pytest.mark.parametrize(("fields", "text"), FAILURES)
@scenario
async def test_a_login_that_fails_is_an_error_without_anything_that_was_said(
    fields: dict[str, Any], text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(**fields) as (around, _):
        guard = Guard(around, tmp_path)
        message = (await guard.ask())["error"]["message"]
        assert text in message
        assert "login to http://127.0.0.1" in message
        assert "s3cret" not in message + str(guard.said) + caplog.text
        assert message.isprintable()
        await guard.close()


@scenario
async def test_a_page_is_only_opened_where_pages_are() -> None:
    from mcp_guard.transports.oauth.browser import safe_to_open

    good = ["https://x/authorize?a=b", "http://127.0.0.1:8000/authorize", "http://localhost/authorize"]
    bad = ["http://x/authorize", "file:///etc/passwd", "javascript:alert(1)", "ms-settings:x", "", "-a"]
    assert all(safe_to_open(url) for url in good)
    assert not any(safe_to_open(url) for url in bad)


@pytest.mark.parametrize("command", ["{}", "{}:firefox", "{} --new", "{} '%s' last", "'{}' --page=%s"])
@scenario
async def test_the_page_opens_in_the_browser_that_the_environment_names(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp_guard.transports.oauth.browser import open_page

    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s " "$@" > {seen}\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", command.format(browser))
    url = "https://x.example/authorize?a=$(b)&c='d'"
    assert await open_page(url)
    expected = {"{}": "URL", "{}:firefox": "URL", "{} --new": "--new URL", "{} '%s' last": "URL last"}
    assert seen.read_text() == expected.get(command, "--page=URL").replace("URL", url) + " "


@pytest.mark.parametrize("command", ["", "no-such-browser", "'unfinished", ":"])
@scenario
async def test_without_a_browser_no_page_is_opened(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_guard.transports.oauth import browser

    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(browser.sys, "platform", "linux")
    monkeypatch.setenv("BROWSER", command)
    assert not await browser.open_page("https://x.example/")


# The listener for the browser


@scenario
async def test_only_the_answer_to_the_question_that_was_asked_is_taken() -> None:
    listener = callback.Callback()
    await listener.open()
    assert "404" in await visit(f"{listener.uri}?code=evil&state="), "nothing has been asked yet"
    listener.expect("right")
    for query in ("code=evil", "code=evil&state=wrong", "error=evil", "code=evil&state="):
        assert "404" in await visit(f"{listener.uri}?{query}")
    assert "404" in await visit(listener.uri.replace("callback", "favicon.ico") + "?code=evil&state=right")
    assert "200" in await visit(f"{listener.uri}?code=good&state=right")
    assert "404" in await visit(f"{listener.uri}?code=evil&state=right"), "one answer is enough"
    assert (await listener.answer(1.0)).code == "good"
    listener.close()


@scenario
async def test_a_browser_that_says_nothing_sensible_harms_nobody() -> None:
    listener = callback.Callback()
    await listener.open()
    port = int(listener.uri.rpartition(":")[2].partition("/")[0])
    for nonsense in (b"\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 100_000 + b"\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(nonsense)
        await reader.read()
        writer.close()
    listener.expect("s")
    assert "200" in await visit(f"{listener.uri}?code=good&state=s")
    listener.close()


# Where tokens are kept


KEPT = Kept(login="https://x/mcp", tokens={"access_token": "t"})


def test_a_file_of_tokens_is_the_users_own(tmp_path: Path) -> None:
    keeper = FileVault(tmp_path / "tokens")
    keeper.write("https://x/mcp", KEPT)
    (file,) = (tmp_path / "tokens").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert keeper.read("https://x/mcp") == KEPT
    assert keeper.read("https://y/mcp") == vault.NOTHING


def test_a_file_that_others_may_read_or_that_is_no_file_of_tokens_is_not_believed(tmp_path: Path) -> None:
    keeper = FileVault(tmp_path)
    keeper.write("https://x/mcp", KEPT)
    (file,) = tmp_path.iterdir()
    file.chmod(0o640)
    assert keeper.read("https://x/mcp") == vault.NOTHING
    file.chmod(0o600)
    file.write_bytes(b"\xff{")
    assert keeper.read("https://x/mcp") == vault.NOTHING


def test_a_vault_is_opened_when_it_is_asked_and_once(tmp_path: Path) -> None:
    opened: list[FileVault] = []

    def opening() -> FileVault:
        opened.append(FileVault(tmp_path))
        return opened[-1]

    keeper = vault.LazyVault(opening)
    assert opened == []
    keeper.write("https://x/mcp", KEPT)
    assert keeper.read("https://x/mcp") == KEPT
    assert len(opened) == 1


class Keyring:
    """What the `keyring` package is to the guard."""

    def __init__(self, locked: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = locked

    def get_password(self, service: str, name: str) -> str | None:
        if self.locked:
            raise RuntimeError("locked")
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, password: str) -> None:
        if self.locked:
            raise RuntimeError("locked: s3cret")
        self.kept[service, name] = password


def test_tokens_are_kept_in_a_keyring_under_their_logins_name() -> None:
    ring = Keyring()
    keeper = vault.KeyringVault(ring)
    keeper.write("https://x/mcp", KEPT)
    assert list(ring.kept) == [("mcp-guard", "https://x/mcp")]
    assert keeper.read("https://x/mcp") == KEPT
    assert keeper.read("https://y/mcp") == vault.NOTHING


def test_a_keyring_that_refuses_is_as_if_it_were_not_there() -> None:
    keeper = vault.KeyringVault(Keyring(locked=True))
    assert keeper.read("https://x/mcp") == vault.NOTHING
    with pytest.raises(RuntimeError) as raised:
        keeper.write("https://x/mcp", KEPT)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("token", ["a b", "a\r\nEvil: x", "", "ü", 7, None])
def test_a_token_that_cannot_stand_in_a_header_is_none(token: object) -> None:
    assert Kept(tokens={"access_token": token}).authorization is None


def test_a_client_does_not_show_its_secret() -> None:
    assert "s3cret" not in repr(Client(url="https://a:s3cret@x/mcp?k=s3cret", client_id="me", client_secret="s3cret"))
