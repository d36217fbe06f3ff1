"""The API, metrics, telemetry and webhooks of a running guard: who gets in, and that they say what happened."""

import hmac
import json
import os
import queue
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.guard import PATIENCE, Guard, server
from tests.e2e.http_session import HttpSession, Response
from tests.e2e.through import running, served
from tests.e2e.web import Web

AUDITOR, SECURITY, CLIENT = "auditor-token-of-the-house", "security-token-of-the-house", "client-token-of-the-house"
TOKENS = f"{AUDITOR} role=auditor\n{SECURITY} role=security user=ann\n{CLIENT} agent=bot\n"
SECRET = "a secret of the webhooks that nobody knows"
UPSTREAM = ["--", *server("patient")]


@pytest.fixture
def tokens(tmp_path: Path) -> list[str]:
    file = tmp_path / "tokens"
    file.write_text(TOKENS)
    file.chmod(0o600)
    return ["--token-file", str(file)]


def cost(usd: float) -> dict[str, Any]:
    """What Claude Code exports, with what it leaves out left out."""
    attributes = [{"key": "model", "value": {"stringValue": "claude-opus"}}]
    times = {"startTimeUnixNano": "1", "timeUnixNano": "2"}
    found = {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": [{"asDouble": usd, **times}]}
    found["dataPoints"][0]["attributes"] = attributes  # pyright: ignore
    metric = {"name": "claude_code.cost.usage", "unit": "USD", "sum": found}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}


def test_each_token_opens_what_it_is_for_and_nothing_else(guard: Guard, tokens: list[str]) -> None:
    with served(guard, UPSTREAM, *tokens) as url:
        assert Web(url, AUDITOR).ask("GET", "/api/agents").status == 200
        assert Web(url, AUDITOR).ask("POST", "/api/stop", {"agent": None}).status == 403
        assert Web(url, SECURITY).ask("POST", "/api/stop", {"agent": "other"}).status == 201
        assert Web(url, CLIENT).ask("GET", "/api/agents").status == 403
        assert Web(url).ask("GET", "/api/agents").status == 401
        assert Web(url, AUDITOR).ask("GET", "/api/agents", Origin="https://evil.example").status == 403
        assert HttpSession(url, Authorization=f"Bearer {SECURITY}").opened.status == 403
        assert HttpSession(url, Authorization=f"Bearer {CLIENT}").opened.status == 200
    for token in (AUDITOR, SECURITY, CLIENT):
        assert token.encode() not in guard.database.read_bytes()


def test_without_tokens_nothing_of_the_registry_is_open_to_whoever_is_on_this_machine(guard: Guard) -> None:
    with served(guard, UPSTREAM) as url:
        for method, path in (("GET", "/api/agents"), ("POST", "/api/stop"), ("GET", "/metrics")):
            answer = Web(url).ask(method, path, {"agent": None} if method == "POST" else None)
            assert answer.status in (403, 404)
            assert answer.headers.get_content_type() == "application/problem+json"
        assert HttpSession(url).text("echo", text="a") == "a"


def test_metrics_say_what_was_decided_and_how_quickly(guard: Guard) -> None:
    with served(guard, UPSTREAM, "--metrics-open") as url:
        session = HttpSession(url)
        assert [session.text("echo", text=str(number)) for number in range(3)] == ["0", "1", "2"]
        page = Web(url).ask("GET", "/metrics").body.decode()
    assert 'mcp_guard_decisions_total{decision="allow",layer="policy"} 3\n' in page
    assert "mcp_guard_decision_seconds_count 3\n" in page
    assert 'mcp_guard_decision_seconds_bucket{le="+Inf"} 3\n' in page
    assert "mcp_guard_audit_failures_total 0\n" in page


def test_what_an_agent_reports_by_its_key_spends_its_budget_and_stops_its_calls(
    guard: Guard, tokens: list[str]
) -> None:
    with served(guard, UPSTREAM, *tokens) as url:
        security = Web(url, SECURITY)
        security.ask("POST", "/api/agents", {"slug": "coder"})
        key = security.ask("POST", "/api/agents/coder/credentials").json["token"]
        security.ask("PUT", "/api/budgets", {"agent": "coder", "window": "month", "amount": 1})
        session = HttpSession(url, Authorization=f"Bearer {key}")
        assert session.text("echo", text="a") == "a"
        assert Web(url, "not-a-token-of-the-house").ask("POST", "/v1/metrics", cost(1)).status == 401
        assert session.text("echo", text="b") == "b"
        assert Web(url, key).ask("POST", "/v1/metrics", cost(1.5)).json == {}
        assert session.call("echo", text="c").json["result"]["isError"] is True
        spending = Web(url, AUDITOR).ask("GET", "/api/spending").json["items"]
        assert [(one["agent"], one["usd"], one["model"]) for one in spending] == [("coder", 1.5, "claude-opus")]
    assert guard.events("tool.decided")[-1]["decided_by"] == "budget"
    assert [event["data"]["share"] for event in guard.events("budget.alert")] == [100]


@pytest.fixture
def hook() -> "Iterator[tuple[str, queue.SimpleQueue[tuple[dict[str, str], bytes]]]]":
    """A receiver of webhooks: its URL, and what it got."""
    got: queue.SimpleQueue[tuple[dict[str, str], bytes]] = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ExitStack() as stack:
        receiver = HTTPServer(("127.0.0.1", 0), Handler)
        stack.callback(receiver.server_close)
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stack.callback(thread.join)
        stack.callback(receiver.shutdown)
        yield f"http://127.0.0.1:{receiver.server_port}/", got


def test_a_webhook_tells_of_a_stop_signed(
    guard: Guard, tokens: list[str], hook: "tuple[str, queue.SimpleQueue[tuple[dict[str, str], bytes]]]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MCP_GUARD_WEBHOOK_SECRET", SECRET)
    with served(guard, UPSTREAM, *tokens, "--webhook", hook[0]) as url:
        Web(url, SECURITY).ask("POST", "/api/stop", {"agent": None, "reason": "incident"})
        fields, body = hook[1].get(timeout=PATIENCE)
        session = HttpSession(url, Authorization=f"Bearer {CLIENT}")
        Web(url, SECURITY).ask("POST", "/api/resume", {"agent": None})
        assert session.text("variable", name="MCP_GUARD_WEBHOOK_SECRET") == "not set"
    signed = b".".join([fields["webhook-id"].encode(), fields["webhook-timestamp"].encode(), body])
    assert fields["webhook-signature"] == f"v1,{b64encode(hmac.digest(SECRET.encode(), signed, sha256)).decode()}"
    told = json.loads(body)
    assert (told["type"], told["data"]["by"], told["data"]["reason"]) == ("calls.stopped", "api:ann", "incident")


REFUSED = [
    ("a webhook without a secret", ["--webhook", "https://hooks.example/"], {}, "MCP_GUARD_WEBHOOK_SECRET"),
    ("a webhook over FTP", ["--webhook", "ftp://hooks.example/"], {"MCP_GUARD_WEBHOOK_SECRET": SECRET}, "webhook"),
    ("metrics open to all machines", ["--metrics-open", "--host", "0.0.0.0", "TOKENS"], {}, "--metrics-open"),
]


@pytest.mark.parametrize(("what", "options", "environment", "says"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_would_be_open_or_unsigned_is_refused_at_the_start(
    guard: Guard, tokens: list[str], what: str, options: list[str], environment: dict[str, str], says: str
) -> None:
    given = [part for option in options for part in (tokens if option == "TOKENS" else [option])]
    program = [
        sys.executable,
        "-m",
        "mcp_guard",
        "serve",
        "--db",
        str(guard.database),
        "--port",
        "0",
        *given,
        *UPSTREAM,
    ]
    done = subprocess.run(
        program, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode != 0
    assert says in done.stderr
    assert SECRET not in done.stderr


def test_the_api_answers_while_a_client_waits_for_its_call(guard: Guard, tokens: list[str]) -> None:
    given = ["--policy", str(guard.policy), "--db", str(guard.database), "--port", "0", *tokens, *UPSTREAM]
    with running([sys.executable, "-m", "mcp_guard", "serve", *given]) as process:
        url = process.url()
        session = HttpSession(url, Authorization=f"Bearer {CLIENT}")
        with session.started("tools/call", name="wait", arguments={"seconds": 60}):
            answer: Response = Web(url, AUDITOR).ask("GET", "/api/agents")
            assert answer.status == 200
