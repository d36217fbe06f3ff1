"""The servers that the arguments of a guard name: a remote one in options, or all that a configuration file holds."""

import os

from mcp_guard.cli.reading import read_file
from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.config import Auth, GuardConfig, HttpServer
from mcp_guard.config.loading import load
from mcp_guard.errors import GuardError
from mcp_guard.policy import Source
from mcp_guard.transports.stdio import say

_KINDS = {"auto": "auto", "oauth": "browser", "client-credentials": "client_credentials", "none": "none"}


def read_config(path: str) -> GuardConfig:
    """The configuration that a file holds; what is to be warned of in it is said. Raises GuardError."""
    config = load(Source(path, read_file(path, "configuration")))
    for warning in config.warnings:
        say(str(warning))
    return config


def with_config(arguments: RunArguments, config: GuardConfig, home: str) -> RunArguments:
    """The arguments, with what the configuration says where the command line says nothing. `home` is its directory."""
    return arguments._replace(
        policy=arguments.policy or tuple(os.path.join(home, path) for path in config.policy),
        db=arguments.db or (os.path.join(home, config.db) if config.db is not None else None),
        agent=arguments.agent or config.agent,
        user=arguments.user or config.user,
        group=arguments.group or config.groups,
    )


def remote_server(arguments: RunArguments) -> HttpServer:
    """The server that the arguments describe, as a configuration file would. Raises GuardError."""
    assert arguments.url is not None
    return HttpServer(
        url=arguments.url,
        transport=arguments.transport,
        headers=dict(_header(text) for text in arguments.header),
        auth=Auth(
            kind=_KINDS[arguments.auth],  # pyright: ignore[reportArgumentType]  (its values are the kinds)
            client_id=arguments.client_id,
            client_secret=arguments.client_secret,
            scopes=arguments.scope,
            issuer=arguments.issuer,
        ),
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise GuardError("a header is not of the form 'Name: value'", "for example: --header 'X-Api-Key: ${API_KEY}'")
    return name.strip(), value.strip()
