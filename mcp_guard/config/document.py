"""The shape of a configuration file, field by field: what is checked, and what editors get as a JSON Schema.

What a field means beyond its type is checked in `assembly`; the form in which clients write their servers is in
`client_form`.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from mcp_guard.config.values import AuthKind, HttpTransport, StartWhen
from mcp_guard.gate.hub.naming import DEFAULT_PREFIX
from mcp_guard.gate.hub.patience import DEFAULT_WAIT
from mcp_guard.policy.shapes import Section, texts

Text = str | UnsetType
LONGEST_WAIT = 300


class AuthSection(Section, frozen=True):
    """How to prove oneself to a remote server."""

    called: ClassVar[str] = "`auth`"
    kind: Annotated[
        AuthKind, Meta(description="`auto`: through the browser, once the server asks for it. `none`: never.")
    ] = "auto"
    client_id: Annotated[Text, Meta(description="The id under which the guard is registered there.")] = UNSET
    client_secret: Annotated[Text, Meta(description="Its secret: ${NAME} or ${file:PATH}, not the secret itself.")] = (
        UNSET
    )
    scopes: Annotated[tuple[str, ...], texts("Scopes to ask for, where the server names none itself.")] = ()
    issuer: Annotated[
        Text, Meta(description="The authorization server that may see the secret. Default: the server's own origin.")
    ] = UNSET


class ServerSection(Section, frozen=True):
    """A server. Its key is its name, in policies, in the log, and in the prefix of its tools."""

    called: ClassVar[str] = "a server"
    command: Annotated[Text, Meta(description="The program that is the server, started by the guard.")] = UNSET
    args: Annotated[tuple[str, ...], texts("The program's arguments.")] = ()
    env: Annotated[Mapping[str, str], Meta(description="Variables added to its environment.")] = {}
    cwd: Annotated[Text, Meta(description="The directory in which it runs; relative to this file.")] = UNSET
    url: Annotated[Text, Meta(description="Instead of `command`: where the server is.")] = UNSET
    transport: Annotated[
        HttpTransport, Meta(description="`http`: streamable HTTP. `sse`: the old HTTP+SSE. `auto`: whichever it has.")
    ] = "auto"
    headers: Annotated[Mapping[str, str], Meta(description="Headers sent with each request.")] = {}
    auth: AuthSection | UnsetType = UNSET
    start: Annotated[
        StartWhen, Meta(description="`lazy`: not with the client, but with the first list or call that needs it.")
    ] = "eager"


class GuardDocument(Section, frozen=True):
    """A configuration file."""

    called: ClassVar[str] = "a configuration"
    policy: Annotated[tuple[str, ...], texts("Policy files, relative to this one; several make one list.")] = ()
    db: Annotated[Text, Meta(description="The audit log; relative to this file.")] = UNSET
    agent: Annotated[Text, Meta(description="Pins the agent, whatever the client says of itself.")] = UNSET
    user: Annotated[Text, Meta(description="Who owns the client; the login if left out.")] = UNSET
    groups: Annotated[tuple[str, ...], texts("Groups of the user.")] = ()
    prefix: Annotated[
        str, Meta(description="What the names of a server's tools and prompts begin with; empty for no prefix.")
    ] = DEFAULT_PREFIX
    wait: Annotated[
        float,
        Meta(ge=0, le=LONGEST_WAIT, description="Seconds that the client waits for servers that are slow to start."),
    ] = DEFAULT_WAIT
    servers: Annotated[Mapping[str, ServerSection], Meta(description="By name, in order of precedence.")] = {}
