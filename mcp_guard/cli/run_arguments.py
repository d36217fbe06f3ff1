"""The arguments of `run`, read without a command-line library: start-up is part of the product.

The table below is the one definition of the options; `cli/run.py` shows the same to a person. What this parser does not
understand at once (`--help`, a typing mistake) it leaves to that one, which says what is wrong.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple


class RunArguments(NamedTuple):
    """What `mcp-guard run` was told. The upstream is one of three: the `command` after `--`, the remote server at `url`
    (`header` to `scope` go with it), or all that the file `config` names.
    """

    policy: tuple[str, ...] = ()
    server: str | None = None
    agent: str | None = None
    user: str | None = None
    group: tuple[str, ...] = ()
    db: str | None = None
    mode: Literal["enforce", "observe"] = "enforce"
    retain: int | None = None
    audit_arguments: Literal["full", "redacted", "hashed", "none"] | None = None
    max_message: int = 64
    command: tuple[str, ...] = ()
    url: str | None = None
    header: tuple[str, ...] = ()
    transport: Literal["auto", "http", "sse"] = "auto"
    auth: Literal["auto", "oauth", "client-credentials", "none"] = "auto"
    client_id: str | None = None
    client_secret: str | None = None
    scope: tuple[str, ...] = ()
    config: str | None = None
    issuer: str | None = None
    webhook: tuple[str, ...] = ()


REPEATED = {
    "--policy": "policy", "--group": "group", "--header": "header", "--scope": "scope", "--webhook": "webhook",
}  # fmt: skip
TEXTS = {
    "--server": "server", "--agent": "agent", "--user": "user", "--db": "db", "--url": "url", "--config": "config",
    "--client-id": "client_id", "--client-secret": "client_secret", "--issuer": "issuer",
}  # fmt: skip
CHOICES = {
    "--mode": ("mode", ("enforce", "observe")),
    "--transport": ("transport", ("auto", "http", "sse")),
    "--auth": ("auth", ("auto", "oauth", "client-credentials", "none")),
    "--audit-arguments": ("audit_arguments", ("full", "redacted", "hashed", "none")),
}
REMOTE = ("header", "transport", "auth", "client_id", "client_secret", "scope", "issuer")  # what only goes with a URL
NUMBERS = {"--retain": ("retain", 1), "--max-message": ("max_message", 1)}  # option: field, least value


def parse(words: Sequence[str]) -> RunArguments | None:
    """The arguments, or None where they are not plainly `OPTION VALUE …` with one upstream (`-- COMMAND ARG…` last)."""
    end = words.index("--") if "--" in words else len(words)
    options, command = words[:end], tuple(words[end + 1 :])
    once = [option for option in options[::2] if option not in REPEATED]
    if len(options) % 2 or len(set(once)) < len(once):
        return None
    fields: dict[str, object] = {"command": command}
    for option, value in zip(options[::2], options[1::2], strict=True):
        if not _take(fields, option, value):
            return None
    if (len(command) > 0) + ("url" in fields) + ("config" in fields) != 1:
        return None
    if any(fields.get(field) for field in REMOTE) and "url" not in fields:
        return None
    return RunArguments(**fields)  # pyright: ignore[reportArgumentType]  (_take puts in what each field holds)


def _take(fields: dict[str, object], option: str, value: str) -> bool:
    if value.startswith("-") or not value:
        return False
    if option in REPEATED:
        field = REPEATED[option]
        fields[field] = (*fields.get(field, ()), value)  # pyright: ignore[reportGeneralTypeIssues]  (a tuple)
    elif option in TEXTS:
        fields[TEXTS[option]] = value
    elif option in CHOICES and value in CHOICES[option][1]:
        fields[CHOICES[option][0]] = value
    elif option in NUMBERS and value.isascii() and value.isdigit() and int(value) >= NUMBERS[option][1]:
        fields[NUMBERS[option][0]] = int(value)
    else:
        return False
    return True
