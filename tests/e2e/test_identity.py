"""Who somebody is, with the real guard: keys and tokens over stdio and HTTP, and what ends them on the next call."""

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mcp_guard.identity.issuers import Issuer
from mcp_guard.identity.keys import private_of_pem
from mcp_guard.store.registry import credentials, issuers, keys, tokens
from mcp_guard.store.registry.book import Book
from tests.e2e.guard import Guard, server
from tests.e2e.http_session import HttpSession, Response
from tests.e2e.through import served
from tests.e2e.wire import LEGACY, MODERN, wire
from tests.identity import forging

POLICY = """\
version: 1
rules:
  - {name: staff may, effect: allow, when: agent.verified && user.verified && "staff" in user.groups, tools: pid}
  - {name: ann's cursor may, effect: allow, agents: cursor, tools: [echo, variable]}
settings: {unlisted_tools: policy, require_verified: true}
"""
ISSUER = "https://login.acme.example"
PATIENT = server("patient")


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path, POLICY)


@pytest.fixture
def book(guard: Guard) -> Iterator[Book]:
    with Book(str(guard.database), "kim") as opened:
        yield opened


class Signer:
    """A signing key of the registry, with its private half."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.private, self.kept = keys.add(book)

    def token(self, agent: str = "cursor", **more: Any) -> tuple[str, str]:
        """A token, and its id."""
        text, kept = tokens.issue(self.book, agent, self.private, **more)
        return text, kept["id"]


@pytest.fixture
def signer(book: Book) -> Signer:
    return Signer(book)


class Authority:
    """An issuer that is trusted, and makes tokens."""

    def __init__(self, book: Book, home: Path) -> None:
        self._key = forging.p256()
        (home / "jwks.json").write_bytes(forging.jwks(forging.jwk(self._key, kid="e1")))
        places = {"agent_claim": "azp", "user_claim": "email", "groups_claim": "groups"}
        issuers.add(book, Issuer("", ISSUER, "guard", str(home / "jwks.json"), **places))

    def token(self, **more: object) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "guard", "azp": "cursor", "email": "ann@acme.example", "groups": ["staff"]}
        return forging.token(self._key, {"alg": "ES256", "kid": "e1"}, {**claims, "iat": now, "exp": now + 300, **more})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def is_nowhere(token: str, guard: Guard, *texts: str) -> bool:
    """Whether neither the database nor what was said holds anything of a token but its header."""
    written = [path.read_bytes().decode("latin-1") for path in guard.database.parent.glob("audit.db*")]
    return all(piece not in text for text in (*written, *texts) for piece in token.split(".")[1:] or [token] if piece)


# Over stdio


def test_a_token_in_the_launching_config_proves_agent_and_user(guard: Guard, signer: Signer) -> None:
    token, made = signer.token(user="ann@acme.example", groups=("staff",))
    with wire(guard.command(PATIENT), {"MCP_GUARD_TOKEN": token}) as client:
        client.open(LEGACY[-1])
        assert client.call("pid", {})["result"]["content"][0]["text"].isdigit()
        assert client.call("variable", {"name": "MCP_GUARD_TOKEN"})["result"]["content"][0]["text"] == "not set"
        credentials.revoke(signer.book, made)
        denied = client.call("pid", {})["result"]
    assert denied["isError"]
    assert "revoked" in denied["content"][0]["text"]
    rows = guard.events("tool.decided")
    assert {(row["agent"], row["agent_verified"], row["user"]) for row in rows} == {("cursor", 1, "ann@acme.example")}
    assert is_nowhere(token, guard)


END: dict[str, Callable[[Signer], object]] = {
    "its key is retired": lambda signer: keys.retire(signer.book, signer.kept["id"]),
    "its issuer is removed": lambda signer: issuers.remove(signer.book, ISSUER),
}


@pytest.mark.parametrize("what", END)
def test_a_connection_ends_to_be_proven_when(what: str, guard: Guard, signer: Signer, tmp_path: Path) -> None:
    authority = Authority(signer.book, tmp_path)
    token = authority.token() if "issuer" in what else signer.token()[0]
    with wire(guard.command(PATIENT), {"MCP_GUARD_TOKEN": token}) as client:
        client.open(LEGACY[-1])
        assert not client.call("echo", {"text": "a"})["result"].get("isError")
        END[what](signer)
        assert client.call("echo", {"text": "a"})["result"]["isError"]
    assert guard.events("tool.decided")[-1]["decided_by"] == "guard"


Wrong = Callable[[Signer], tuple[str, list[str]]]
WRONG: dict[str, tuple[Wrong, str]] = {
    "a token of another agent than --agent": (
        lambda signer: (signer.token("cursor")[0], ["--agent", "admin"]),
        "one of the agent `cursor`, and --agent says `admin`",
    ),
    "a token of another user than --user": (
        lambda signer: (signer.token(user="ann")[0], ["--user", "bob"]),
        "one of the user `ann`, and --user says `bob`",
    ),
    "a token that nobody signed": (
        lambda signer: (signer.token()[0].rpartition(".")[0] + ".", []),
        "the token is not signed",
    ),
    "a token of another registry's key": (
        lambda signer: (
            forging.token(
                forging.ed25519(), {"alg": "EdDSA", "kid": signer.kept["id"]}, {"iss": "mcp-guard", "sub": "cursor"}
            ),
            [],
        ),
        "the token's signature is not that of its key",
    ),
    "what is no token": (lambda signer: ("not-a-key-and-not-a-token", []), "none that this registry knows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_credential_that_proves_nothing_starts_nothing_and_is_recorded(
    name: str, guard: Guard, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, why = WRONG[name]
    token, options = make(signer)
    monkeypatch.setenv("MCP_GUARD_TOKEN", token)
    command = guard.command(PATIENT, *options)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert why in done.stderr
    (event,) = guard.events("credential.refused")
    assert why in event["data"]["why"]
    assert is_nowhere(token, guard, done.stderr)


# Over HTTP


@pytest.fixture
def url(guard: Guard) -> Iterator[str]:
    with served(guard, ["--", *PATIENT], "--require-token", "--server", "patient") as url:
        yield url


def decided(guard: Guard) -> list[tuple[str, int, str]]:
    return [(row["agent"], row["agent_verified"], row["user"]) for row in guard.events("tool.decided")]


def test_keys_and_tokens_are_bearer_tokens_and_outrank_what_a_client_says(
    url: str, guard: Guard, signer: Signer
) -> None:
    key, kept = credentials.issue(signer.book, "cursor")
    by_key = HttpSession(url, client="admin", **bearer(key))
    by_token = HttpSession(url, client="admin", **bearer(signer.token(user="ann", groups=("staff",))[0]))
    assert (by_key.text("echo", text="a"), by_token.text("pid").isdigit()) == ("a", True)
    assert "Unknown tool" in by_key.call("pid").json["error"]["message"]  # no user is proven by a key
    assert [row[0] for row in decided(guard)] == ["cursor"] * 3
    assert decided(guard)[1] == ("cursor", 1, "ann")
    credentials.revoke(signer.book, kept["id"])
    assert by_key.call("echo", text="a").status == 401
    assert by_token.text("echo", text="a") == "a"


def test_a_connection_that_is_kept_is_asked_again(url: str, signer: Signer) -> None:
    token, made = signer.token()
    session = HttpSession(url, **bearer(token))
    fields = {**session._headers, "Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "a"}}}

    def post(connection: http.client.HTTPConnection) -> int:
        connection.request("POST", "/mcp", json.dumps(call), fields)
        return Response(connection.getresponse()).status

    where = urlsplit(url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)) as connection:
        assert [post(connection), post(connection)] == [200, 200]
        credentials.revoke(signer.book, made)
        assert post(connection) == 401


def test_a_stream_ends_with_the_credential_that_opened_it(url: str, signer: Signer) -> None:
    token, made = signer.token()
    session = HttpSession(url, **bearer(token))
    where = urlsplit(url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)) as connection:
        connection.request("GET", "/mcp", headers={**session._headers, "Accept": "text/event-stream"})
        stream = connection.getresponse()
        assert stream.status == 200
        credentials.revoke(signer.book, made)
        while stream.read1(4096):  # ends within seconds: http.client raises TimeoutError else
            pass


def test_a_session_is_nobody_elses(url: str, guard: Guard, signer: Signer) -> None:
    session = HttpSession(url, **bearer(signer.token("cursor")[0]))
    theirs = session._headers["Mcp-Session-Id"]
    session._headers["Authorization"] = f"Bearer {signer.token('admin')[0]}"
    assert session.call("echo", text="a").status == 404
    assert session.send("GET", "/mcp", Accept="text/event-stream").status == 404
    assert session.send("DELETE", "/mcp").status == 404
    refused = guard.events("credential.refused")
    assert {(event["agent"], event["data"]["why"]) for event in refused} == {
        ("admin", "it came with the session of another client")
    }
    session._headers.update(bearer(signer.token("cursor")[0]))  # a renewed token of the same agent
    assert (session.text("echo", text="a"), session._headers["Mcp-Session-Id"]) == ("a", theirs)


def test_a_renewed_token_carries_a_session_beyond_the_end_of_the_first(url: str, signer: Signer) -> None:
    first, made = signer.token()
    session = HttpSession(url, **bearer(first))
    session._headers.update(bearer(signer.token()[0]))
    assert session.text("echo", text="a") == "a"
    credentials.revoke(signer.book, made)
    assert session.text("echo", text="b") == "b"


def test_requests_of_the_stateless_revision_are_each_their_callers(url: str, guard: Guard, signer: Signer) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "admin", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }

    def call(token: str) -> Response:
        caller = HttpSession.__new__(HttpSession)
        caller._address, caller._context = urlsplit(url), None
        caller._headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
        caller._headers.update(bearer(token))
        params = {"name": "echo", "arguments": {"text": "a"}, "_meta": meta}
        return caller.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    cursor, made = signer.token("cursor")
    other, _ = signer.token("other")
    answers = [call(cursor), call(other)]
    assert ["result" in answer.json for answer in answers] == [True, False]
    assert [row[0] for row in decided(guard)] == ["cursor", "other"]
    credentials.revoke(signer.book, made)
    assert call(cursor).status == 401


def test_nobody_is_heard_without_a_credential_and_refusals_are_recorded(url: str, guard: Guard, signer: Signer) -> None:
    token, _ = signer.token()
    assert HttpSession(url).opened.status == 401
    tampered = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
    answer = HttpSession(url, **bearer(tampered)).opened
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert b"signature" not in answer.body
    (event,) = guard.events("credential.refused")
    assert event["data"]["peer"] == "127.0.0.1"
    assert is_nowhere(token, guard)


def test_where_an_issuer_is_trusted_clients_are_told_where_tokens_are_had(
    guard: Guard, book: Book, tmp_path: Path
) -> None:
    with served(guard, ["--", *PATIENT], "--server", "patient") as url:
        assert HttpSession(url).opened.status == 200  # on this machine nobody needs a token so far
        authority = Authority(book, tmp_path)
        refused = HttpSession(url).opened
        where = f"{url}/.well-known/oauth-protected-resource/mcp"
        assert refused.status == 401
        assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{where}"'
        described = HttpSession.send(_anybody(url), "GET", urlsplit(where).path).json
        assert (described["resource"], described["authorization_servers"]) == (f"{url}/mcp", [ISSUER])

        session = HttpSession(url, **bearer(_soon(url, authority.token())))
        assert session.text("pid").isdigit()
        assert decided(guard)[-1] == ("cursor", 1, "ann@acme.example")
        assert HttpSession(url, **bearer(authority.token(aud="other"))).opened.status == 401
        issuers.remove(book, ISSUER)
        assert session.call("pid").status == 401


def _anybody(url: str) -> HttpSession:
    caller = HttpSession.__new__(HttpSession)
    caller._address, caller._context, caller._headers = urlsplit(url), None, {}
    return caller


def _soon(url: str, token: str) -> str:
    """The token, once the keys of its issuer are there: they are fetched beside everything else."""
    deadline = time.monotonic() + 30
    while HttpSession(url, **bearer(token)).opened.status == 503 and time.monotonic() < deadline:
        time.sleep(0.01)
    return token


def test_the_private_half_of_a_key_never_meets_the_database(guard: Guard, signer: Signer) -> None:
    secret = private_of_pem(signer.private).private_bytes_raw()
    assert all(secret not in path.read_bytes() for path in guard.database.parent.glob("audit.db*"))
