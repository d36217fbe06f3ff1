"""What can stand in the query of a request. A parameter that is left out is UNSET: a query has no null."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from mcp_guard.api.values import ApprovalStatus, Input, Reason
from mcp_guard.governance.snapshot import AgentStatus

Flag = Annotated[bool, Meta(description="Also those that are over")]


class Paged(Input, frozen=True):
    """Which page of a list: at most `limit` items, those that come `after` (the `next` of the page before)."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    after: Annotated[str, Meta(min_length=1, max_length=600)] | UnsetType = UNSET


class AgentsQuery(Paged, frozen=True):
    """Which agents."""

    status: AgentStatus | UnsetType = UNSET
    tag: str | UnsetType = UNSET
    deleted: Flag = False


class OfAgent(Paged, frozen=True):
    """Of which agent."""

    agent: str | UnsetType = UNSET


class Ended(OfAgent, frozen=True):
    """Of which agent, and whether those that have ended too."""

    ended: Flag = False


class Expired(OfAgent, frozen=True):
    """Of which agent, and whether those that have expired too."""

    expired: Flag = False


class ApprovalsQuery(OfAgent, frozen=True):
    """Of which agent, and of which status."""

    status: ApprovalStatus | UnsetType = UNSET


class SpendingQuery(OfAgent, frozen=True):
    """Of which agent; or only what nobody has proven to have spent."""

    unattributed: Annotated[bool, Meta(description="Only what nobody has proven to have spent")] = False


class ToolsQuery(Paged, frozen=True):
    """Of which server, and whether those too that it lists no more."""

    server: str | UnsetType = UNSET
    gone: Flag = False


class Nothing(Input, frozen=True):
    """No query at all."""


class Why(Input, frozen=True):
    """Why something is taken away."""

    reason: Reason = ""
