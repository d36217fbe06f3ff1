"""What the API takes and gives, as types: every body that comes in is one of these, and every answer that goes out.

The OpenAPI description is made from them (see `description`), so it cannot say anything else. Times are RFC 3339,
in UTC.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mcp_guard.governance import ApprovalScope
from mcp_guard.governance.snapshot import AgentStatus, BudgetWindow, GrantEffect, OverrideEffect, RiskLevel
from mcp_guard.store.registry.instances import InstanceStatus

_T = TypeVar("_T")

_SLUG = r"^[a-z0-9][a-z0-9_-]{1,98}[a-z0-9]$"
Slug = Annotated[str, Meta(pattern=_SLUG, description="3 to 100 of a-z, 0-9, _ and -")]
AgentName = Annotated[str, Meta(pattern=_SLUG, description="An agent, registered or not")]
Stopped = Annotated[str, Meta(min_length=1, max_length=256, description="The agent that was stopped")]
Pattern = Annotated[
    str,
    Meta(
        max_length=300,
        pattern=r"^(?:[^\x00-\x20\x7f:-][^\x00-\x20\x7f:]*:)?[^\x00-\x20\x7f:-][^\x00-\x20\x7f:]*$",
        description="TOOL or SERVER:TOOL, each with * for any run",
        examples=["get_*"],
    ),
]
Reason = Annotated[str, Meta(max_length=1000, description="Why; it is kept with the change")]
Moment = Annotated[datetime, Meta(tz=True, description="In the future", examples=["2030-01-31T00:00:00Z"])]
Share = Annotated[float, Meta(ge=0, le=1, examples=[0.93])]
Amount = Annotated[float, Meta(ge=0, description="Calls are whole; dollars need not be", examples=[1000])]
Name = Annotated[str, Meta(max_length=200)]
Description = Annotated[str, Meta(max_length=2000)]
Tags = Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=50)]
ApprovalStatus = Literal["pending", "approved", "denied", "withdrawn", "expired"]
Json = Any  # what the log or a server wrote, of whatever form


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body or a query that comes in. What it has no field for is refused."""


class Page(msgspec.Struct, Generic[_T], frozen=True):
    """Some of the items; `next`, where there are more, is to be given as `after`."""

    items: list[_T]
    next: str | None = None


# What is given


class Agent(msgspec.Struct, frozen=True):
    """An agent. One that is not `reviewed` has registered itself, and nobody has looked at it yet."""

    slug: str
    name: str
    description: str
    owner: str
    tags: list[str]
    risk: RiskLevel
    status: AgentStatus
    reviewed: bool
    eval_minimum: float | None
    created_at: str
    updated_at: str


class Instance(msgspec.Struct, frozen=True):
    """One connected client of one user. One whose guard was killed is `lost` once nothing was heard of it for a while.
    `disconnect` says why it was told to end.
    """

    id: str
    agent: str
    user: str
    server: str
    client_name: str
    client_version: str
    host: str
    directory: str
    protocol: str
    transport: str
    first_seen: str
    last_seen: str
    ended_at: str | None
    disconnect: str | None
    status: InstanceStatus


class Credential(msgspec.Struct, frozen=True):
    """What is kept of an agent's key, or of a token that one of the registry's keys signed; itself is nowhere."""

    id: str
    agent: str
    kind: str
    user: str | None
    signed_by: str | None
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None


class IssuedCredential(Credential, frozen=True):
    """A new key: `token` is shown this once."""

    token: str


class Permission(msgspec.Struct, frozen=True):
    """A grant: tools that are given to an agent, or forbidden, beside the policy."""

    id: str
    agent: str
    pattern: str
    effect: GrantEffect
    granted_by: str
    reason: str
    granted_at: str
    expires_at: str | None


class Override(msgspec.Struct, frozen=True):
    """Tools that are stopped for now, or need a person's approval; of one agent, or (null) of every one."""

    id: str
    agent: str | None
    pattern: str
    effect: OverrideEffect
    brake: bool
    reason: str
    created_by: str
    created_at: str
    expires_at: str | None


class Budget(msgspec.Struct, frozen=True):
    """What an agent may spend in a window, and what it has spent in the present one."""

    id: str
    agent: str
    window: BudgetWindow
    unit: Literal["calls", "usd"]
    amount: float
    enforced: bool
    alerts: bool
    created_at: str
    spent: float
    resets_at: str


class Evaluation(msgspec.Struct, frozen=True):
    """How an agent did in an evaluation."""

    id: str
    agent: str
    suite: str
    pass_rate: float
    recorded_at: str
    recorded_by: str


class Coverage(msgspec.Struct, frozen=True):
    """How many of the tools that its servers list an agent was ever allowed to call, and called."""

    tools_listed: int
    tools_used: int


class Activity(msgspec.Struct, frozen=True):
    """What became of an agent's calls of one tool in the last seven days."""

    server: str | None
    tool: str | None
    calls: int
    denied: int
    last_at: str


class Profile(msgspec.Struct, frozen=True):
    """One agent in full."""

    agent: Agent
    instances: list[Instance]
    grants: list[Permission]
    overrides: list[Override]
    budgets: list[Budget]
    evals: list[Evaluation]
    coverage: Coverage
    last_call_at: str | None
    activity: list[Activity]


class Tool(msgspec.Struct, frozen=True):
    """A tool as its server listed it last. `listed` is false where the server lists it no more."""

    server: str
    tool: str
    listed: bool
    description: str | None
    first_seen: str
    last_seen: str
    versions: int
    hash: str
    definition: Json


class Approval(msgspec.Struct, frozen=True):
    """What a person is, or was, asked about. `method` says what it is; of a prompt, `tool` is the name, of a resource,
    the URI. It, `arguments` and `parameters` (all others, but what belongs to one attempt) are what a person may see of
    them; `redacted` says what is left out: where (a JSON Pointer into the arguments, or into the request's params where
    it is `of` those), why, how many bytes it has, and how many of them are `hidden`, where it is not all of them.
    """

    id: str
    connection_id: str
    agent: str
    user: str
    server: str
    method: str
    tool: str
    arguments: Json
    parameters: Json
    redacted: list[Json]
    reason: str
    status: ApprovalStatus
    scope: ApprovalScope | None
    requested_at: str
    expires_at: str
    decided_at: str | None
    decided_by: str | None
    comment: str


class Spending(msgspec.Struct, frozen=True):
    """What models cost on one day (UTC) by what agents report; `agent` is null where nobody has proven to be it."""

    id: str
    agent: str | None
    day: str
    model: str
    usd: float


# What is taken


class NewAgent(Input, frozen=True):
    """An agent to register, or a deleted one to register again."""

    slug: Slug
    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    owner: Name | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    risk: RiskLevel | UnsetType = UNSET


class AgentChange(Input, frozen=True):
    """What is to be said of an agent from now on; what is left out stays."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    owner: Name | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    risk: RiskLevel | UnsetType = UNSET


class Because(Input, frozen=True):
    """Why something is done."""

    reason: Reason = ""


class Minimum(Input, frozen=True):
    """The pass rate that an agent must have reached in its latest evaluation; null asks for none."""

    minimum: Share | None


class NewCredential(Input, frozen=True):
    """A key to make."""

    expires_at: Moment | None = None


class NewPermission(Input, frozen=True):
    """A grant to make."""

    agent: AgentName
    pattern: Pattern
    effect: GrantEffect
    reason: Reason = ""
    expires_at: Moment | None = None


class NewOverride(Input, frozen=True):
    """An override to make; without an agent it is for every one."""

    pattern: Pattern
    effect: OverrideEffect
    agent: AgentName | None = None
    reason: Reason = ""
    expires_at: Moment | None = None


class Stop(Input, frozen=True):
    """What to stop: one agent, or (null) every one."""

    agent: AgentName | None
    reason: Reason = ""
    expires_at: Moment | None = None


class Resume(Input, frozen=True):
    """What to let go on: the agent that was stopped, or (null) all that was stopped."""

    agent: Stopped | None
    reason: Reason = ""


class NewBudget(Input, frozen=True):
    """A budget to set: calls by the minute, hour or day; US dollars by the month."""

    agent: AgentName
    window: BudgetWindow
    amount: Amount
    enforced: bool = True
    alerts: bool = True


class Approve(Input, frozen=True):
    """Let a call run: `once`; with every further one of the tool on its connection (`session`); or with every one of
    its agent until `expires_at` (`grant`).
    """

    scope: ApprovalScope = "once"
    expires_at: Moment | None = None
    comment: Reason = ""


class Deny(Input, frozen=True):
    """Deny a call; the agent is shown the comment."""

    comment: Reason = ""


class NewEvaluation(Input, frozen=True):
    """How an agent did."""

    agent: AgentName
    pass_rate: Share
    suite: Annotated[str, Meta(min_length=1, max_length=200)]
