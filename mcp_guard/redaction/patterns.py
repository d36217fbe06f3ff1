"""What looks like a secret: by the name of its key, by its own shape, by what a text says that it is.

All patterns run on bytes in RE2: in linear time, folding the case of ASCII letters only. The invariant: where
`is_secret_name` or `kind_of_secret` finds something, `may_hold_secret` finds something in the JSON text around it. It
holds because JSON escapes nothing that names and shapes consist of (what `url-password` lets through, it also lets
through escaped), and because the prefilter asks for less: no boundary before a shape, no value after a name.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol

import re2  # pyright: ignore[reportMissingTypeStubs]  (it has none: `_compile` is the only place that touches it)


class _Match(Protocol):
    def start(self, group: int = 0, /) -> int: ...
    def end(self, group: int = 0, /) -> int: ...
    def group(self, group: int = 0, /) -> bytes: ...


class _Pattern(Protocol):
    def search(self, text: bytes, /) -> _Match | None: ...
    def finditer(self, text: bytes, /) -> Iterator[_Match]: ...


def _compile(pattern: bytes) -> _Pattern:
    options = re2.Options()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    options.encoding = re2.Options.Encoding.LATIN1  # pyright: ignore[reportUnknownMemberType]
    options.log_errors = False
    return re2.compile(pattern, options)  # pyright: ignore


# Anywhere in a key: `db_password`, `githubToken`, `X-Api-Key`; in a text, before `=` or `:`.
_NAMES = (
    rb"passw(?:or[dt]|d)|passphrase|passcode|pwd|secret|token|credential|authorization|cookie|bearer|jwt|mnemonic"
    rb"|(?:api|access|private|signing|encryption|auth|ssh|account|storage|master|license)[-_. ]?key"
    rb"|(?:seed|recovery)[-_. ]?(?:phrase|code)|[-_]pass\b"
)
_WHOLE_NAMES = rb"auth|pass|pw|pin|otp|cvv|cvc|pat|ssn"  # the whole of a key
_NUMBER_NAMES = rb"passw|passcode|pwd|secret|pin|otp|cvv|cvc|ssn"  # not of `max_tokens`: under these a number is secret

# How the tokens of services begin that call them by a prefix of their own, each with the least that follows.
_OF_SERVICES = (
    rb"ntn_[A-Za-z0-9]{30,}|secret_[A-Za-z0-9]{40,}",  # Notion
    rb"lin_(?:api|oauth)_[A-Za-z0-9]{30,}",  # Linear
    rb"AT[AC]TT3[A-Za-z0-9_=-]{30,}",  # Atlassian
    rb"sntry[su]_[A-Za-z0-9+/=_-]{30,}",  # Sentry
    rb"(?:figd|sbp|hvs|hvb|gsk|glc|phx|fm[12])[._][A-Za-z0-9_-]{30,}",  # Figma, Supabase, Vault, Groq, Grafana, …
    rb"glsa_[A-Za-z0-9]{30,}_[a-f0-9]{8}",  # Grafana
    rb"(?:xai|pplx|fc|tvly|tvly-dev|tvly-prod)-[A-Za-z0-9]{30,}",  # xAI, Perplexity, Firecrawl, Tavily
    rb"BSA[A-Za-z0-9_-]{27,}",  # Brave
    rb"r8_[A-Za-z0-9]{30,}",  # Replicate
    rb"dapi[a-f0-9]{32}",  # Databricks
    rb"SG[.][A-Za-z0-9_-]{20,}[.][A-Za-z0-9_-]{30,}",  # SendGrid
    rb"dckr_[a-z]+_[A-Za-z0-9_-]{20,}",  # Docker
    rb"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",  # Shopify
    rb"PMAK-[a-f0-9]{24}-[a-f0-9]{30,}",  # Postman
    rb"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram
    rb"AGE-SECRET-KEY-1[A-Z0-9]{30,}",
    rb"(?:SK|key-)[a-f0-9]{32}",  # Twilio, Mailgun
    rb"sq0[a-z]{3}-[A-Za-z0-9_-]{20,}",  # Square
    rb"NRAK-[A-Z0-9]{20,}",  # New Relic
    rb"HRKU-[A-Za-z0-9_-]{30,}",  # Heroku
    rb"rubygems_[a-f0-9]{40,}",
    rb"dp[.](?:pt|st|ct|sa|scim|audit)[.][A-Za-z0-9_.-]{30,}",  # Doppler
    rb"pscale_[a-z]+_[A-Za-z0-9_-]{30,}",  # PlanetScale
    rb"lsv2_(?:pt|sk)_[a-f0-9]{32}",  # LangSmith
    rb"pat[A-Za-z0-9]{14}[.][a-f0-9]{32,}",  # Airtable
    rb"pat-[a-z]{2}[0-9]-[a-f0-9]{8}-[a-f0-9-]{20,}",  # HubSpot
)

# What gives itself away, by kind. The minimal lengths keep prose out.
_SHAPES: dict[str, bytes] = {
    "private-key": rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
    "guard-key": rb"(?i:mcpg_[0-9a-z]{26}_)[A-Za-z0-9_-]{16,}",  # our own: store.registry.credentials
    "json-web-token": rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_.-]*",
    "bearer-token": rb"(?i:bearer|apikey) +[A-Za-z0-9._~+/=-]{16,}",
    "basic-credentials": rb"(?i:authorization[\"'\\:=\s]+(?:basic|digest|token)) +[^\s\"'\\]{6,}",
    "url-password": rb"://[^/?#\s@]*:[^/?#\s@]+@",
    "github-token": rb"(?:gh[a-z]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "gitlab-token": rb"gl[a-z]{1,6}-[A-Za-z0-9_-]{20,}",
    "slack-token": rb"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}",
    "slack-webhook": rb"hooks\.slack\.com/services/[A-Za-z0-9/]{8,}",
    "aws-key": rb"(?:AKIA|ASIA)[A-Z0-9]{16,}",
    "google-key": rb"(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    "stripe-key": rb"(?:[srp]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}",
    "api-key": rb"sk-[A-Za-z0-9_-]{16,}",
    "registry-token": rb"(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{30,}|dop_v1_[a-f0-9]{30,})",
    "service-token": rb"(?:" + b"|".join(_OF_SERVICES) + rb")",
    "signed-url": rb"(?i:[?&](?:sig|signature|x-(?:amz|goog)-signature)=)[A-Za-z0-9%+/=_-]{30,}",
}
# The others begin where no letter or digit is before them.
_ANYWHERE = frozenset({"private-key", "guard-key", "url-password", "signed-url"})

# `password=hunter2`, `"api_key": "a1b2c3"`, `<token>a1b2c3`, `--token a1b2c3`, SQL's `PASSWORD 'a1b2c3'` and
# `IDENTIFIED BY 'a1b2c3'`: a name, what sets it off, a value.
_ASSIGNMENT = (
    rb"(?i)(?:(?:"
    + _NAMES
    + rb")[a-z0-9_-]*[\"'\\]*\s*(?:[:=]>?|>)\s*[\"'\\]*|--[a-z0-9_-]*(?:"
    + _NAMES
    + rb")[a-z0-9_-]* +|(?:identified\s+by|password(?:\s+by)?)\s+[\"'\\]+)"
    rb"([^\s\"'\\<>(){}\[\],;$]{6,})"
)


def _bounded(kind: str) -> bytes:
    return (rb"()" if kind in _ANYWHERE else rb"(^|[^A-Za-z0-9])") + _SHAPES[kind]


_prefilter = _compile(
    rb"(?i:" + _NAMES + rb"|identified(?:\s|\\[a-z]))|\"(?i:" + _WHOLE_NAMES + rb")\"|" + b"|".join(_SHAPES.values())
)
_name = _compile(rb"(?i:" + _NAMES + rb"|^(?:" + _WHOLE_NAMES + rb")$)")
_number_name = _compile(rb"(?i:" + _NUMBER_NAMES + rb")")
_assignment = _compile(_ASSIGNMENT)
_key_end = _compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY")
_key_text = _compile(rb"[A-Za-z0-9+/=]{16,}(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*")


@cache
def _any_shape() -> _Pattern:
    """Made when the first text is suspected: most guards start, and many end, without one."""
    return _compile(rb"|".join(map(_bounded, _SHAPES)))


@cache
def _shapes() -> Mapping[str, _Pattern]:
    return {kind: _compile(_bounded(kind)) for kind in _SHAPES}


def may_hold_secret(json: bytes) -> bool:
    """Whether JSON text may hold anything that looks like a secret. Fast, and wrong on one side only."""
    return _prefilter.search(json) is not None


def is_secret_name(name: str, *, of_number: bool = False) -> bool:
    """Whether what is under this key is to be taken for a secret; `of_number`: where it is a number."""
    text = _bytes(name)
    return _name.search(text) is not None and (not of_number or _number_name.search(text) is not None)


def kind_of_secret(text: str) -> str | None:
    """What kind of secret a text holds anywhere inside, or None."""
    encoded = _bytes(text)
    if _prefilter.search(encoded) is None:
        return None
    if _any_shape().search(encoded) is not None:
        return next(kind for kind, pattern in _shapes().items() if pattern.search(encoded))
    return "assignment" if any(_assigned(encoded)) else None


def mask(text: str, mark: str) -> str:
    """The text with a mark in place of every secret in it; of a private key, nothing behind it is kept either."""
    encoded = _bytes(text)
    if _prefilter.search(encoded) is None:
        return text
    for kind, pattern in _shapes().items():
        spans = [(found.end(1), found.end()) for found in pattern.finditer(encoded)]
        if spans and kind == "private-key":
            spans = [(spans[0][0], len(encoded))]
        encoded = _marked(encoded, spans, mark.encode())
    encoded = _marked(encoded, _assigned(encoded), mark.encode())
    return _text(encoded)


def mask_in_part(text: str, mark: str) -> tuple[str, int]:
    """The text as a person sees it who has to approve what it does, and how many bytes of it they do not see: `mark`,
    with the number of characters in the place of its `{}`, stands for each secret alone. Whatever is round a secret
    shows, also behind the beginning of a private key.
    """
    encoded = _bytes(text)
    pieces: list[str] = []
    last = hidden = 0
    for start, end in _united(_spans(encoded)):
        pieces += _text(encoded[last:start]), mark.format(len(_text(encoded[start:end])))
        last, hidden = end, hidden + end - start
    return ("".join((*pieces, _text(encoded[last:]))), hidden) if pieces else (text, 0)


def _spans(encoded: bytes) -> Iterator[tuple[int, int]]:
    """Where secrets are; of a private key, what can be the text of a key and nothing else."""
    for kind, pattern in _shapes().items():
        for found in pattern.finditer(encoded):
            if kind != "private-key":
                yield found.end(1), found.end()
                continue
            after = _key_end.search(encoded[found.end() :])
            end = len(encoded) if after is None else found.end() + after.start()
            for part in _key_text.finditer(encoded[found.end() : end]):
                yield found.end() + part.start(), found.end() + part.end()
    yield from _assigned(encoded)


def _united(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((start, end))
    return united


def _assigned(encoded: bytes) -> Iterator[tuple[int, int]]:
    """Where values are that a text says are secrets: with a letter and a digit, which few words of a program have."""
    for found in _assignment.finditer(encoded):
        value = found.group(1)
        if not value.isalpha() and not value.isdigit() and any(48 <= byte <= 57 for byte in value):
            yield found.start(1), found.end(1)


def _marked(encoded: bytes, spans: "list[tuple[int, int]] | Iterator[tuple[int, int]]", mark: bytes) -> bytes:
    pieces: list[bytes] = []
    last = 0
    for start, end in spans:
        pieces += (encoded[last:start], mark)
        last = end
    return b"".join((*pieces, encoded[last:])) if pieces else encoded


def _text(encoded: bytes) -> str:
    return encoded.decode("utf-8", "surrogatepass")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
