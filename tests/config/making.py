"""Configurations for tests, in few words."""

from mcp_guard.config import ConfigError, GuardConfig, load
from mcp_guard.policy import Diagnostic, Source


def config_of(text: str, path: str = "guard.yaml") -> GuardConfig:
    return load(Source(path, text.encode()))


def findings(text: str | bytes, path: str = "guard.yaml") -> tuple[Diagnostic, ...]:
    """Everything that is found wrong in one file."""
    try:
        return load(Source(path, text if isinstance(text, bytes) else text.encode())).warnings
    except ConfigError as error:
        return error.diagnostics


def briefly(text: str | bytes, path: str = "guard.yaml") -> list[str]:
    """The findings as `line:column code`."""
    return [f"{found.place.line}:{found.place.column} {found.code}" for found in findings(text, path)]
