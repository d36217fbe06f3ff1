"""What a webhook says of an event, what it keeps to itself, and that its signature is the standard's."""

import json
from collections.abc import Mapping

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.store.reader import RecordedEvent
from mcp_guard.webhooks.notices import Target, body, secret, signed, target

URLS = [
    ("https://hooks.example/in?key=1", Target(True, "hooks.example", None, "/in?key=1")),
    ("http://127.0.0.1:8080", Target(False, "127.0.0.1", 8080, "/")),
    ("https://[::1]:9/x", Target(True, "::1", 9, "/x")),
]


@pytest.mark.parametrize(("url", "found"), URLS, ids=[case[0] for case in URLS])
def test_a_webhook_goes_to_http_or_https(url: str, found: Target) -> None:
    assert target(url) == found


WRONG = [
    "ftp://hooks.example/secret",
    "hooks.example/secret",
    "file:///secret",
    "https://ann:secret@hooks.example/",
    "https:///secret",
    "https://hooks.example:port/secret",
    "https://hooks.example/se cret",
    "https://hooks.example/secret\r\nHost: other",
    "https://hooks.example/#secret",
    "https://[hooks/secret",
    "https://hooks..example/secret",
    f"https://{'h' * 64}.example/secret",
]


@pytest.mark.parametrize("url", WRONG)
def test_no_other_url_is_taken_or_quoted(url: str) -> None:
    with pytest.raises(GuardError) as error:
        target(url)
    assert "cret" not in str(error.value)


def test_a_secret_is_text_or_base64_and_long_enough() -> None:
    assert secret("a text of sixteen or more") == b"a text of sixteen or more"
    assert secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")[:2] == b"1\xf2"
    for short in ("too little", "whsec_c2hvcnQ=", "whsec_!!!!!!!!!!!!!!!!!!!!!!!!"):
        with pytest.raises(GuardError) as error:
            secret(short)
        assert short not in str(error.value)


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    # The example of the specification's own libraries.
    key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    fields = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', key)
    assert fields["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (fields["webhook-id"], fields["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def event(kind: str, data: Mapping[str, object]) -> RecordedEvent:
    facts = {"agent": "cursor", "user": "ann", "server": "github", "tool": "create_issue"}
    return RecordedEvent(
        seq=7, id="c-1", ts="2026-01-01T00:00:00Z", type=kind, connection_id="c", agent_verified=True,
        decision=None, decided_by=None, rule="r", policy_hash=None, data=data, **facts
    )  # fmt: skip


def test_nothing_of_a_calls_arguments_is_said() -> None:
    data = {"arguments": {"body": "secret"}, "call_hash": "secret", "reason": "secret"}
    data |= {"method": "tools/call", "asked": "store", "expires_us": 5}
    said = body(event("approval.requested", data))
    assert b"secret" not in said
    assert json.loads(said) == {
        "type": "approval.requested",
        "timestamp": "2026-01-01T00:00:00Z",
        "data": {
            "event": "c-1",
            "seq": 7,
            "agent": "cursor",
            "user": "ann",
            "server": "github",
            "tool": "create_issue",
            "id": "r",
            "method": "tools/call",
            "asked": "store",
            "expires_us": 5,
        },
    }


def test_a_budget_alert_says_how_much_is_spent() -> None:
    data = {"window": "month", "unit": "usd", "share": 80, "spent": 8.5, "limit": 10.0, "by": "mcp-guard"}
    said = json.loads(body(event("budget.alert", data)))["data"]
    assert (said["share"], said["spent"], said["limit"], said["window"]) == (80, 8.5, 10.0, "month")
