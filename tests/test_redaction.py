"""What of others' arguments and texts is written down: secrets never, sizes within bounds, the rest as it came."""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.gate.approvals.showing import quoted, visible
from mcp_guard.redaction import arguments as a
from mcp_guard.redaction import patterns as p
from mcp_guard.redaction import recorded_arguments, safe_text, shown_arguments
from mcp_guard.redaction.arguments import DEEPEST, LARGEST, LONGEST, MOST_ENTRIES, ArgumentsMode

KEY = b"k" * 32
LARGEST_ROW = 640 * 1024
MODES: list[ArgumentsMode] = ["full", "redacted", "hashed", "none"]


def encodings(value: object) -> list[bytes]:
    """JSON text as the guard encodes it (ASCII), and as UTF-8."""
    return [json.dumps(value, separators=(",", ":")).encode(), msgspec.json.encode(value)]


def recorded(arguments: dict[str, Any], mode: ArgumentsMode = "redacted", key: bytes = KEY) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(recorded_arguments(arguments, encodings(arguments)[0], mode, key)))


def whys(arguments: dict[str, Any], mode: ArgumentsMode = "redacted") -> dict[str, str]:
    return {entry["path"]: entry["why"] for entry in recorded(arguments, mode).get("redacted", [])}


ALNUM = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
GUARD_KEY = "mcpg_01M7YXWRSC4FE8VAYJT0G6F8X3_pW4q-Zt8_Yx1Lk0sVb2nRc7dEa5fGh9jKm3oPu6iQsT"
HEX = "0123456789abcdef0123456789abcdef"
LONG = f"{ALNUM}{ALNUM}"
SERVICE_TOKENS = [
    *(f"ntn_{LONG}", f"lin_api_{LONG}", f"ATATT3xFfGF0{LONG}=1A2B3C4D", f"sntryu_{HEX}{HEX}", f"tvly-dev-{LONG}"),
    *(f"BSA{LONG}", f"figd_{LONG}", f"sbp_{HEX}01234567", f"glsa_{LONG[:32]}_0a1b2c3d", f"dapi{HEX}", f"hvs.{LONG}"),
    *(f"SG.{ALNUM}.{LONG}", f"dckr_pat_{ALNUM}", f"shpat_{HEX}", f"PMAK-{HEX[:24]}-{HEX}01", f"gsk_{LONG}"),
    *(f"xai-{LONG}", f"pplx-{LONG}", f"r8_{LONG}", f"fc-{HEX}", f"7123456789:AA{LONG[:33]}", f"SK{HEX}", f"key-{HEX}"),
    *(f"sq0atp-{ALNUM}", "NRAK-ABCDEFGHJKLMNPQRSTUVWXYZ012", f"HRKU-{LONG}", f"rubygems_{HEX}{HEX[:16]}"),
    *(f"dp.pt.{LONG}", f"pscale_tkn_{LONG}", f"lsv2_pt_{HEX}_0123456789", f"pat{LONG[:14]}.{HEX}{HEX}"),
    *("pat-na1-01234567-0123-0123-0123-0123456789ab", f"AGE-SECRET-KEY-1{LONG.upper()}", f"fm2_{LONG}"),
]
SECRETS = [
    ("guard-key", GUARD_KEY),
    ("guard-key", f"MCP_GUARD_TOKEN={GUARD_KEY}"),
    ("guard-key", GUARD_KEY.lower()),
    ("api-key", f"sk-{ALNUM}"),
    ("api-key", f"sk-proj-{ALNUM}_{ALNUM}"),
    ("api-key", f"sk-ant-api03-{ALNUM}"),
    ("stripe-key", f"sk_live_{ALNUM}"),
    ("stripe-key", f"whsec_{ALNUM}"),
    ("github-token", f"ghp_{ALNUM}{ALNUM}"),
    ("github-token", f"gho_{ALNUM}"),
    ("github-token", f"github_pat_{ALNUM}_{ALNUM}"),
    ("gitlab-token", f"glpat-{ALNUM}"),
    ("slack-token", "xoxb-123456789012-abcdef"),
    ("slack-token", "xapp-1-A0123456789"),
    ("slack-webhook", "https://hooks.slack.com/services/T000/B000/XXXX"),
    ("aws-key", "AKIAIOSFODNN7EXAMPLE"),
    ("aws-key", "ASIAIOSFODNN7EXAMPLE"),
    ("google-key", f"AIza{ALNUM}{ALNUM}"),
    ("google-key", f"ya29.{ALNUM}"),
    ("json-web-token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP"),
    ("private-key", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"),
    ("private-key", "-----BEGIN RSA PRIVATE KEY-----"),
    ("private-key", "-----BEGIN OPENSSH PRIVATE KEY-----"),
    ("bearer-token", f"Bearer {ALNUM}"),
    ("bearer-token", f"bearer {ALNUM}=="),
    ("basic-credentials", "Authorization: Basic dXNlcjpwYXNz"),
    ("url-password", "https://alice:hunter2@example.com/x"),
    ("url-password", "postgres://u:p@localhost/db"),
    ("url-password", "redis://:p@localhost"),
    ("registry-token", f"npm_{ALNUM}{ALNUM}"),
    ("registry-token", f"hf_{ALNUM}{ALNUM}"),
    ("bearer-token", f"ApiKey {ALNUM}=="),
    ("signed-url", f"https://acme.blob.core.windows.net/c?sv=2022&sig={ALNUM}{ALNUM}%3D"),
    ("signed-url", f"https://acme.s3.amazonaws.com/k?X-Amz-Signature={HEX}{HEX}"),
    *(("service-token", token) for token in SERVICE_TOKENS),
    ("assignment", "ALTER USER kim WITH PASSWORD 'hunter22'"),
    ("assignment", "CREATE USER kim IDENTIFIED BY 'hunter22'"),
    ("assignment", "IDENTIFIED WITH mysql_native_password BY 'hunter22'"),
    ("assignment", "password=hunter2"),
    ("assignment", "export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG"),
    ("assignment", '{"api_key": "a1b2c3d4"}'),
    ("assignment", "mysql --password hunter2 -e 'select 1'"),
    ("assignment", "PGPASSWORD: hunter22"),
    ("assignment", "SMTP_PASS=hunter22"),
    ("assignment", "<password>hunter22</password>"),
    ("assignment", '"password" => "hunter22"'),
]
AROUND = ["{}", "see {} there", '"{}"', "line\n{}\nline", "\t{}", "é{}é", "({})", "key={};"]

HARMLESS = [
    "",
    "a plain sentence about tokens and passwords",
    "risk-assessment-for-the-next-quarter",
    "https://example.com/a@b",
    "https://example.com:8080/path?to=x@y",
    "git@github.com:acme/app.git",
    "alice@acme.com",
    "self.password = password",
    "token = get_token()",
    "max_tokens=4096",
    "the bearer of this letter",
    "0123456789abcdef0123456789abcdef01234567",
    "550e8400-e29b-41d4-a716-446655440000",
    "the key mcpg_01M7YXWRSC4FE8VAYJT0G6F8X3",  # its id alone: by that it is revoked
    "desk-lamp-with-a-very-long-name-indeed",
    "the user identified by 'alice'",
    "the researchers identified 'CVE-2024-1234' in it",
    "https://example.com/search?sig=short",
    "key-0123456789abcdef and SKU 0123456789",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("kind", "secret"), SECRETS)
def test_a_secret_is_found_wherever_it_stands_in_a_text(kind: str, secret: str, around: str) -> None:
    text = around.format(secret)
    out = recorded({"note": ["x", {"deep": text}]})
    assert out["arguments"] == {"note": ["x", {"deep": None}]}
    assert [entry["path"] for entry in out["redacted"]] == ["/note/1/deep"]
    assert out["redacted"][0]["why"] in (kind, "assignment")
    assert secret not in json.dumps(out, ensure_ascii=False)
    assert secret not in safe_text(text, 10_000)


@pytest.mark.parametrize("around", ["{}", "rm -rf / ; {} ; rm -rf /", "line\n{}\nline", "é {} é"])
@pytest.mark.parametrize(("kind", "secret"), SECRETS)
def test_whoever_has_to_approve_it_sees_what_is_round_a_secret(kind: str, secret: str, around: str) -> None:
    text = around.format(secret)
    shown = msgspec.json.decode(msgspec.json.encode(shown_arguments({"note": text}, encodings({"note": text})[0], KEY)))
    before, _, after = around.partition("{}")
    seen = shown["arguments"]["note"]
    assert (seen[: len(before)], seen[len(seen) - len(after) :]) == (before, after)
    if kind != "private-key":  # whose two ends are no secret
        (entry,) = shown["redacted"]
        assert 0 < entry["hidden"] <= len(secret)
        assert secret not in seen


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_kept(text: str) -> None:
    assert recorded({"note": text}) == {"arguments": {"note": text}}
    assert safe_text(text, 1000) == text


SECRET_NAMES = [
    *("password", "Password", "PASSWD", "db_password", "userPassword", "passphrase", "pwd", "secret", "clientSecret"),
    *("token", "access_token", "githubToken", "refresh-token", "api_key", "apiKey", "X-Api-Key", "api key", "APIKEY"),
    *("authorization", "Cookie", "set-cookie", "private_key", "privateKey", "credentials", "aws_secret_access_key"),
    *("DB_PASS", "smtp-pass"),
    *("auth", "pass", "pin", "otp", "ssn", "jwt", "seed phrase", "storage.key"),
]
PLAIN_NAMES = ["path", "author", "key", "keys", "compass", "passenger", "description", "pinned", "keyboard", "authors"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_what_is_under_the_name_of_a_secret_is_one(name: str) -> None:
    for value in ("x", ["x", 1], {"inner": "x"}):
        out = recorded({"outer": [{name: value}]})
        assert out["arguments"] == {"outer": [{name: None}]}
        assert out["redacted"][0]["why"] == "name"


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_what_is_under_another_name_is_kept(name: str) -> None:
    assert whys({name: "x"}) == {}


def test_a_name_says_nothing_of_values_that_cannot_be_secrets() -> None:
    plain = {"password": None, "secret": True, "token": "", "cookie": [], "credentials": {}, "max_tokens": 4096}
    assert recorded(plain) == {"arguments": plain}
    assert whys({"password": 12345678, "pin": 1234, "otp": 1.5}) == dict.fromkeys(("/password", "/pin", "/otp"), "name")


PAIRS = [
    {"name": "DB_PASSWORD", "value": "hunter2"},
    {"value": "hunter2", "key": "token"},
    {"Name": "Authorization", "Value": "Basic dXNlcjpwYXNz"},
    {"name": "pin", "value": 1234},
]


@pytest.mark.parametrize("pair", PAIRS)
def test_what_an_object_names_so_itself_is_a_secret(pair: dict[str, Any]) -> None:
    value = next(name for name in pair if name.lower() == "value")
    assert whys({"env": [pair]}) == {f"/env/0/{value}": "name"}


def test_what_stands_behind_a_secret_option_of_a_command_is_one() -> None:
    command = ["mysql", "-u", "root", "--password", "hunter2", "--token", "--verbose", "x", "--pin", 1234]
    assert whys({"args": command}) == {"/args/4": "name"}
    assert whys({"args": ["--max-tokens", 4096, "password", "x", "--path", "y"]}) == {}
    assert whys({"lines": ["- fix token handling", "and more", "-    token = old", "     kept()"]}) == {}
    assert whys({"commands": ["-token", "curl example.com | sh", "--token", {"run": "sh"}, "--token", ["sh"]]}) == {}


def test_what_an_object_names_otherwise_is_kept() -> None:
    assert (
        whys({"env": [{"name": "PATH", "value": "/bin"}, {"name": "token"}, {"name": ["token"], "value": "x"}]}) == {}
    )


def test_a_key_that_is_a_secret_itself_is_not_kept_either() -> None:
    secret = f"ghp_{ALNUM}"
    out = recorded({"counts": {secret: 1}})
    (entry,) = out["redacted"]
    assert out["arguments"] == {"counts": {f"redacted {entry['hash']}": 1}}
    assert (entry["why"], secret in json.dumps(out)) == ("key github-token", False)


def test_an_entry_says_where_what_and_how_large() -> None:
    out = recorded({"a/b": {"c~d": [0, {"password": "grün"}]}})
    (entry,) = out["redacted"]
    assert (entry["path"], entry["why"], entry["bytes"]) == ("/a~1b/c~0d/1/password", "name", len("grün".encode()))
    assert re.fullmatch("hmac-sha256:[0-9a-f]{64}", entry["hash"])


def test_equal_values_have_equal_hashes_under_one_key_and_others_under_another() -> None:
    def hashed(value: str, key: bytes = KEY) -> str:
        return recorded({"password": value}, "redacted", key)["redacted"][0]["hash"]

    assert hashed("hunter2") == hashed("hunter2")
    assert len({hashed("hunter2"), hashed("hunter3"), hashed("hunter2", b"other")}) == 3


def test_a_hash_is_the_hmac_of_the_text_itself() -> None:
    import hmac

    entry = recorded({"password": "hunter2"})["redacted"][0]
    assert entry["hash"] == "hmac-sha256:" + hmac.new(KEY, b"hunter2", "sha256").hexdigest()


ARGUMENTS = {"path": "/x", "n": [1, None, True, {"s": "t"}], "password": "hunter2", "empty": {}}
KEPT = [
    ("full", ARGUMENTS, {}),
    ("redacted", {**ARGUMENTS, "password": None}, {"/password": "name"}),
    (
        "hashed",
        {"path": None, "n": [None, None, None, {"s": None}], "password": None, "empty": {}},
        dict.fromkeys(("/path", "/n/0", "/n/1", "/n/2", "/n/3/s", "/password"), "hashed"),
    ),
    ("none", None, {"": "none"}),
]


@pytest.mark.parametrize(("mode", "arguments", "why"), KEPT)
def test_a_policy_says_how_much_is_kept(mode: ArgumentsMode, arguments: object, why: dict[str, str]) -> None:
    assert recorded(ARGUMENTS, mode)["arguments"] == arguments
    assert whys(ARGUMENTS, mode) == why


def test_nothing_at_all_is_known_of_arguments_that_are_not_to_be_kept() -> None:
    assert recorded({"password": "hunter2"}, "none")["redacted"] == [
        {"path": "", "hash": None, "why": "none", "bytes": len('{"password":"hunter2"}')}
    ]


def test_arguments_without_a_secret_are_passed_through_as_they_were_encoded() -> None:
    encoded = b'{"n":1.0,"big":12345678901234567890123,"e":"\\u00e9"}'
    out = recorded_arguments(msgspec.json.decode(encoded), encoded, "redacted", KEY)
    assert out == {"arguments": msgspec.Raw(encoded)}


@pytest.mark.parametrize("mode", ["full", "redacted"])
def test_long_strings_of_very_large_arguments_are_kept_as_hashes(mode: ArgumentsMode) -> None:
    arguments = {"path": "/x", "content": "x" * LARGEST, "parts": ["y" * (LONGEST + 1), "z" * LONGEST]}
    assert whys(arguments, mode) == {"/content": "size", "/parts/0": "size"}
    assert recorded(arguments, mode)["arguments"] == {"path": "/x", "content": None, "parts": [None, "z" * LONGEST]}


LARGE: list[dict[str, Any]] = [
    {"many": ["x" * 100] * 10_000},
    {"numbers": list(range(100_000))},
    {"n" * LARGEST: 1},
    {"k" * 1000 + str(n): {"password": "x"} for n in range(500)},
    {"passwords": {str(n): {"token": "y" * 2000} for n in range(300)}},
    {"a": [{"password": "x"}] * (MOST_ENTRIES + 1)},
    {"\x01" * 50_000 + str(n): "x" * 2000 for n in range(10)},
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("arguments", LARGE, ids=range(len(LARGE)))
def test_a_row_is_bounded_whatever_the_arguments_are(arguments: dict[str, Any], mode: ArgumentsMode) -> None:
    assert len(msgspec.json.encode(recorded(arguments, mode))) < LARGEST_ROW


@pytest.mark.parametrize("one", [1, [], {}, "ab", {"a": 1}])
def test_no_more_is_looked_at_than_a_row_could_hold(one: object, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    def look(name: str | None, value: object) -> str | None:
        nonlocal looked
        looked += 1

    monkeypatch.setitem(a._JUDGES, "redacted", look)
    out = recorded({"x": [one] * 300_000})
    assert (out["arguments"], out["redacted"][0]["why"]) == (None, "size")
    assert looked <= LARGEST // 2 + 2


def test_deep_arguments_are_kept_as_one_hash() -> None:
    for levels, kept in ((DEEPEST - 1, True), (DEEPEST + 1, False), (900, False)):
        deep: Any = "hunter2"
        for _ in range(levels):
            deep = {"d": deep}
        for mode in ("full", "redacted", "hashed"):
            assert (recorded(deep, mode)["arguments"] is not None) is kept


def test_no_depth_exhausts_the_stack() -> None:
    deep: Any = {"password": "hunter2"}
    for level in range(100_000):
        deep = {"d": deep} if level % 2 else {"d": [deep]}
    for mode in MODES:
        out = recorded_arguments(deep, b"[" * 100_000, mode, KEY)
        assert out["arguments"] is None


def test_brackets_in_a_text_are_no_depth() -> None:
    assert whys({"code": "[{" * 1000}) == {}


FRAGMENTS = [
    *("sk-", "sk_live_", "ghp_", "glpat-", "xoxb-", "AKIA", "AIza", "eyJ", ".", "bearer ", "Basic ", "authorization"),
    *("password", "PassWd", "token", "secret", "api", "key", "cookie", "auth", "pin", "://", ":", "@", "=", " ", "--"),
    *(
        "-----BEGIN ",
        "PRIVATE KEY",
        '"',
        "\\",
        "/",
        "\n",
        "\t",
        "\0",
        "\x7f",
        "é",
        "ſ",
        "\u212a",
        "\u2028",
        "🙂",
        "_",
        "-",
        "pass",
    ),
    *(ALNUM, ALNUM.upper() + "0123456789", "hunter2", "a1b2c3"),
]
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=12).map("".join)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
arguments_of_any_kind = st.dictionaries(texts, values, max_size=5)


def shape_or_assignment(text: str) -> bool:
    """Whether the walk takes a text for a secret, without the help of the prefilter."""
    encoded = text.encode()
    return any(pattern.search(encoded) for pattern in p._shapes().values()) or any(p._assigned(encoded))


@given(texts)
@settings(max_examples=400, deadline=None)
def test_the_prefilter_misses_no_text_that_the_walk_takes_for_a_secret(text: str) -> None:
    if shape_or_assignment(text):
        assert p.kind_of_secret(text) is not None
        assert [p.may_hold_secret(encoded) for encoded in encodings({"x": [text]})] == [True, True]


@given(texts)
@settings(max_examples=400, deadline=None)
def test_the_prefilter_misses_no_name_that_the_walk_takes_for_one_of_a_secret(name: str) -> None:
    if p.is_secret_name(name):
        assert [p.may_hold_secret(encoded) for encoded in encodings({name: "x"})] == [True, True]


def strings(value: Any) -> list[str]:
    """All keys and string values inside."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in (name, *strings(inner))]
    return [text for inner in value for text in strings(inner)] if isinstance(value, list) else []


@given(arguments_of_any_kind)
@settings(max_examples=150, deadline=None)
def test_nothing_that_looks_like_a_secret_is_left(arguments: dict[str, Any]) -> None:
    out = recorded(arguments)
    assert [text for text in strings(out["arguments"]) if shape_or_assignment(text)] == []
    redacted = set(whys(arguments))
    for name, value in arguments.items():
        if p.is_secret_name(name) and isinstance(value, str) and value:
            assert redacted & {f"/{name.replace('~', '~0').replace('/', '~1')}"} or shape_or_assignment(name)


@given(arguments_of_any_kind, st.sampled_from(MODES))
@settings(max_examples=100, deadline=None)
def test_what_is_kept_is_kept_as_it_was(arguments: dict[str, Any], mode: ArgumentsMode) -> None:
    def compare(kept: Any, given: Any, path: str) -> None:
        if kept is None and path in redacted:
            return
        assert type(kept) is type(given)
        if isinstance(kept, list):
            for index, (one, other) in enumerate(zip(kept, given, strict=True)):
                compare(one, other, f"{path}/{index}")
        elif isinstance(kept, dict):
            assert len(kept) == len(given)
            for name in kept.keys() & given.keys():
                compare(kept[name], given[name], f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
        else:
            assert kept == given

    out = recorded(arguments, mode)
    redacted = {entry["path"] for entry in out.get("redacted", [])}
    compare(out["arguments"], json.loads(json.dumps(arguments)), "")


SHOWN = [
    ("create_issue", "create_issue"),
    ("日本語", "日本語"),
    ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    ("a\nb\r\tc\0", "a\\nb\\r\\tc\\x00"),
    ("\x9b2J", "\\x9b2J"),
    ("\u202edesrever", "\\u202edesrever"),
    ("a\u2028b\u200bc\ufeff", "a\\u2028b\\u200bc\\ufeff"),
    ("read\u3164file\ufe0f", "read\\u3164file\\ufe0f"),
    ("\u2800" * 4, "\\u2800" * 4),
    ("\ud800", "\\ud800"),
    ("x" * 60, "x" * 49 + "…"),
    ("\0" * 60, "\\x00" * 12 + "\\…"),
    (f"the key is ghp_{ALNUM}{ALNUM}", "the key is [redacted]"),
    ("https://alice:hunter2@example.com/x", "https[redacted]example.com/x"),
    ("run with password=hunter2 now", "run with password=[redacted] now"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg", "[redacted]"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_a_text_for_a_log_line_is_short_printable_and_without_secrets(text: str, shown: str) -> None:
    assert safe_text(text, 50) == shown


@given(st.one_of(texts, st.text()), st.integers(min_value=0, max_value=80))
@settings(max_examples=200, deadline=None)
def test_any_text_becomes_printable_and_short(text: str, limit: int) -> None:
    shown = safe_text(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert set(shown).isdisjoint(INVISIBLE)


IGNORABLE = (  # Unicode, DerivedCoreProperties: Default_Ignorable_Code_Point
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
INVISIBLE = [chr(one) for first, last in IGNORABLE for one in range(first, last + 1)] + ["\u2800", "\U0001d159"]


@pytest.mark.parametrize("show", [lambda text: safe_text(text, 50), visible, quoted], ids=["log", "block", "quotes"])
def test_what_unicode_lets_a_reader_ignore_is_an_escape_wherever_it_is_shown(show: Callable[[str], str]) -> None:
    assert [hex(ord(one)) for one in INVISIBLE if one in show(f"a{one}b")] == []
    assert "ä漢🙂é" in show("ä漢🙂é")


def test_a_secret_across_the_limit_is_no_secret_cut_in_two() -> None:
    assert "ghp" not in safe_text("x" * 40 + f" ghp_{ALNUM}{ALNUM}", 50)
