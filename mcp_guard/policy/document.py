"""The shape of a policy file, field by field: what `shapes` checks and what editors get as a JSON Schema.

Imported only when a policy is read, never on the way of a call. What a field means beyond its type (a slug that can
never match, a condition that does not compile) is checked in `assembly`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType, field

from mcp_guard.policy.policy import ApprovalsAsked, ArgumentsKept, Ungoverned, UnlistedTools
from mcp_guard.policy.rules import Status
from mcp_guard.policy.shapes import Section, texts
from mcp_guard.policy.values import Effect, Outcome, VisibilityLevel

Dollars = Annotated[float, Meta(ge=0)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]


class AgentSection(Section, frozen=True):
    """A class of agents. Its key is the slug."""

    called: ClassVar[str] = "an agent"
    name: Annotated[str, Meta(description="The name that people read.")] = ""
    tags: Annotated[tuple[str, ...], texts("Tags, for `tag:x` in the `agents` of a rule.")] = ()
    clients: Annotated[tuple[str, ...], texts("Patterns (`*`) on the name that a client gives itself.")] = ()


class ToolSection(Section, frozen=True):
    """A tool of a server, or several: the key is its name, or a pattern with `*`."""

    called: ClassVar[str] = "a tool"
    tags: Annotated[tuple[str, ...], texts("Tags, for `tag:x` in the `tools` of a rule.")] = ()
    cost: Annotated[Dollars | UnsetType, Meta(description="What a call costs, in US dollars, for budgets.")] = UNSET


class ServerSection(Section, frozen=True):
    """An upstream MCP server. Its key is the slug that the launching config gives it."""

    called: ClassVar[str] = "a server"
    name: Annotated[str, Meta(description="The name that people read.")] = ""
    tags: Annotated[tuple[str, ...], texts("Tags, for `tag:x` in the `servers` of a rule.")] = ()
    tools: Annotated[Mapping[str, ToolSection], Meta(description="Tags for its tools, by name or pattern.")] = {}


class UserSection(Section, frozen=True):
    """A user. The key is the id under which the guard knows the user."""

    called: ClassVar[str] = "a user"
    name: Annotated[str, Meta(description="The name that people read.")] = ""
    email: Annotated[str, Meta(description="An address; the id itself where that is one.")] = ""
    groups: Annotated[tuple[str, ...], texts("Groups, for the `groups` of a rule.")] = ()


def _scope(description: str) -> Meta:
    return texts(f"{description}; any if left out.", at_least=1)


class RuleSection(Section, frozen=True, kw_only=True):
    """One rule. Rules are tried from top to bottom; the first that matches decides; none: the call is denied."""

    called: ClassVar[str] = "a rule"
    id: Annotated[str | UnsetType, Meta(description="The id in logs and tests; made from the name if left out.")] = (
        UNSET
    )
    name: Annotated[str | UnsetType, Meta(description="What the rule is for, in a few words.")] = UNSET
    effect: Annotated[Effect, Meta(description="What a match does. `gated` is an allow that must have a condition.")]
    status: Annotated[Status, Meta(description="Only active rules are tried.")] = "active"
    agents: Annotated[tuple[str, ...] | UnsetType, _scope("Agent slugs, `tag:x` or `instance:ID`")] = UNSET
    users: Annotated[tuple[str, ...] | UnsetType, _scope("User ids")] = UNSET
    groups: Annotated[tuple[str, ...] | UnsetType, _scope("Groups of the user")] = UNSET
    servers: Annotated[tuple[str, ...] | UnsetType, _scope("Server slugs or `tag:x`")] = UNSET
    tools: Annotated[tuple[str, ...] | UnsetType, _scope("Tool names, patterns with `*`, or `tag:x`")] = UNSET
    prompts: Annotated[tuple[str, ...] | UnsetType, _scope("Prompt names, or patterns with `*`")] = UNSET
    resources: Annotated[
        tuple[str, ...] | UnsetType, _scope("URIs of resources, or patterns: `*` also crosses `/`")
    ] = UNSET
    when: Annotated[str | UnsetType, Meta(description="A condition in CEL over agent, user, mcp and request.args.")] = (
        UNSET
    )
    cost: Annotated[
        Dollars | UnsetType, Meta(description="What a call that it lets through costs, in US dollars, for budgets.")
    ] = UNSET
    message: Annotated[str | UnsetType, Meta(description="Shown to the agent when the rule denies its call.")] = UNSET


class SettingsSection(Section, frozen=True):
    """How the guard behaves beyond the rules."""

    called: ClassVar[str] = "the settings"
    unlisted_tools: Annotated[
        UnlistedTools | UnsetType,
        Meta(description="What a call of a tool gets that the upstream never listed; `deny` if left out."),
    ] = UNSET
    ungoverned_prompts: Annotated[
        Ungoverned | UnsetType,
        Meta(description="What prompts get while no active rule names any; `allow` if left out."),
    ] = UNSET
    ungoverned_resources: Annotated[
        Ungoverned | UnsetType,
        Meta(description="What resources get while no active rule names any; `allow` if left out."),
    ] = UNSET
    audit_arguments: Annotated[
        ArgumentsKept | UnsetType,
        Meta(description="How arguments are kept in the audit log; `redacted` if left out."),
    ] = UNSET
    require_verified: Annotated[
        bool | UnsetType,
        Meta(description="Whether an agent that only says who it is may call nothing; `false` if left out."),
    ] = UNSET
    require_grant: Annotated[
        bool | UnsetType,
        Meta(description="Whether an agent may only call tools that were granted to it; `false` if left out."),
    ] = UNSET
    approvals: Annotated[
        ApprovalsAsked | UnsetType,
        Meta(description="Where a person is asked for an approval; `client`, where it can ask, if left out."),
    ] = UNSET
    approval_timeout: Annotated[
        Seconds | UnsetType,
        Meta(description="How many seconds a call waits for a person's approval; 300 if left out."),
    ] = UNSET


class CallSection(Section, frozen=True, kw_only=True):
    """A call to judge in a test: of a tool, or what is asked of a prompt or a resource."""

    called: ClassVar[str] = "a test's call"
    agent: Annotated[str | UnsetType, Meta(description="The agent's slug.")] = UNSET
    client: Annotated[str | UnsetType, Meta(description="Instead of `agent`: the name that a client gives itself.")] = (
        UNSET
    )
    user: Annotated[str, Meta(description="The user's id.")] = ""
    groups: Annotated[tuple[str, ...], texts("Groups of the user beside those of the `users` section.")] = ()
    server: Annotated[str, Meta(description="The server's slug.")]
    tool: Annotated[str | UnsetType, Meta(description="The tool's name.")] = UNSET
    prompt: Annotated[str | UnsetType, Meta(description="Instead of `tool`: the prompt's name.")] = UNSET
    resource: Annotated[str | UnsetType, Meta(description="Instead of `tool`: the resource's URI.")] = UNSET
    args: Annotated[Mapping[str, Any], Meta(description="The arguments.")] = {}
    verified: Annotated[bool, Meta(description="Whether agent and user are vouched for, not just claimed.")] = False


class ExpectationSection(Section, frozen=True, kw_only=True):
    """One expectation: what a call gets (`expect`), or how its tool is shown at discovery (`visibility`)."""

    called: ClassVar[str] = "a test"
    name: Annotated[str, Meta(description="What is tested, as a sentence.")]
    call: CallSection
    expect: Annotated[Outcome | UnsetType, Meta(description="What the call must get.")] = UNSET
    visibility: Annotated[VisibilityLevel | UnsetType, Meta(description="How its tool is shown.")] = UNSET
    rule: Annotated[str | UnsetType, Meta(description="The id of the rule that must decide.")] = UNSET


class PolicyDocument(Section, frozen=True, kw_only=True):
    """A policy file."""

    called: ClassVar[str] = "a policy"
    version: Annotated[Literal[1], Meta(description="The version of this format.")]
    name: Annotated[str, Meta(description="The policy's name.")] = ""
    agents: Annotated[Mapping[str, AgentSection], Meta(description="Agent classes, by slug.")] = {}
    servers: Annotated[Mapping[str, ServerSection], Meta(description="Upstream servers, by slug.")] = {}
    users: Annotated[Mapping[str, UserSection], Meta(description="Users, by id.")] = {}
    rules: Annotated[tuple[RuleSection, ...], Meta(description="From top to bottom; the first match decides.")] = ()
    settings: SettingsSection = field(default_factory=SettingsSection)
    tests: Annotated[
        tuple[ExpectationSection, ...], Meta(description="Expectations, run by `mcp-guard policy test`.")
    ] = ()
