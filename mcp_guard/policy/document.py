"""The shape of a policy file, field by field: what pydantic checks and what editors get as a JSON Schema.

Imported only when a policy is read, never on the way of a call. What a field means beyond its type (a slug that can
never match, a condition that does not compile) is checked in `assembly`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mcp_guard.policy.values import Effect, Outcome, VisibilityLevel

NAME_SCHEMA = {"type": "string", "minLength": 1}


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _given(value: object) -> object:
    """Refuse a field that is there with nothing in it: `when:` with its condition commented out is not "always"."""
    if value is None:
        raise PydanticCustomError("nothing_given", "a value expected")
    return value


def _one_or_many(**of_many: int) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [NAME_SCHEMA, {"type": "array", "items": NAME_SCHEMA, **of_many}]})


ONE_AS_LIST = BeforeValidator(_as_list)
TextList = Annotated[list[str], ONE_AS_LIST, _one_or_many()]
GIVEN = BeforeValidator(_given)
OptionalText = Annotated[str | None, GIVEN]
Scoped = Annotated[list[str] | None, ONE_AS_LIST, GIVEN, _one_or_many(minItems=1)]
Status = Literal["active", "draft", "disabled"]
ArgumentsKept = Literal["full", "redacted", "hashed", "none"]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class AgentSection(_Section):
    """A class of agents. Its key is the slug."""

    name: str = Field(default="", description="The name that people read.")
    tags: TextList = Field(default=[], description="Tags, for `tag:x` in the `agents` of a rule.")
    clients: TextList = Field(default=[], description="Patterns (`*`) on the name that a client gives itself.")


class ToolSection(_Section):
    """A tool of a server, or several: the key is its name, or a pattern with `*`."""

    tags: TextList = Field(default=[], description="Tags, for `tag:x` in the `tools` of a rule.")


class ServerSection(_Section):
    """An upstream MCP server. Its key is the slug that the launching config gives it."""

    name: str = Field(default="", description="The name that people read.")
    tags: TextList = Field(default=[], description="Tags, for `tag:x` in the `servers` of a rule.")
    tools: dict[str, ToolSection] = Field(default={}, description="Tags for its tools, by name or pattern.")


class UserSection(_Section):
    """A user. The key is the id under which the guard knows the user."""

    name: str = Field(default="", description="The name that people read.")
    email: str = Field(default="", description="An address; the id itself where that is one.")
    groups: TextList = Field(default=[], description="Groups, for the `groups` of a rule.")


class RuleSection(_Section):
    """One rule. Rules are tried from top to bottom; the first that matches decides; none: the call is denied."""

    id: OptionalText = Field(default=None, description="The id in logs and tests; made from the name if left out.")
    name: OptionalText = Field(default=None, description="What the rule is for, in a few words.")
    effect: Effect = Field(description="What a match does. `gated` is an allow that must have a condition.")
    status: Status = Field(default="active", description="Only active rules are tried.")
    agents: Scoped = Field(default=None, description="Agent slugs, `tag:x` or `instance:ID`; any if left out.")
    users: Scoped = Field(default=None, description="User ids; any if left out.")
    groups: Scoped = Field(default=None, description="Groups of the user; any if left out.")
    servers: Scoped = Field(default=None, description="Server slugs or `tag:x`; any if left out.")
    tools: Scoped = Field(default=None, description="Tool names, patterns with `*`, or `tag:x`; any if left out.")
    prompts: Scoped = Field(default=None, description="Prompt names, or patterns with `*`; any if left out.")
    resources: Scoped = Field(default=None, description="URIs of resources, or patterns: `*` also crosses `/`.")
    when: OptionalText = Field(default=None, description="A condition in CEL over agent, user, mcp and request.args.")
    message: OptionalText = Field(default=None, description="Shown to the agent when the rule denies its call.")


class SettingsSection(_Section):
    """How the guard behaves beyond the rules."""

    unlisted_tools: Annotated[Literal["deny", "policy"] | None, GIVEN] = Field(
        default=None, description="What a call of a tool gets that the upstream never listed; `deny` if left out."
    )
    audit_arguments: Annotated[ArgumentsKept | None, GIVEN] = Field(
        default=None, description="How arguments are kept in the audit log; `redacted` if left out."
    )


class CallSection(_Section):
    """A call to judge in a test."""

    agent: OptionalText = Field(default=None, description="The agent's slug.")
    client: OptionalText = Field(default=None, description="Instead of `agent`: the name that a client gives itself.")
    user: str = Field(default="", description="The user's id.")
    groups: TextList = Field(default=[], description="Groups of the user beside those of the `users` section.")
    server: str = Field(description="The server's slug.")
    tool: str = Field(description="The tool's name.")
    args: dict[str, object] = Field(default={}, description="The arguments.")
    verified: bool = Field(default=False, description="Whether agent and user are vouched for, not just claimed.")


class ExpectationSection(_Section):
    """One expectation: what a call gets (`expect`), or how its tool is shown at discovery (`visibility`)."""

    name: str = Field(description="What is tested, as a sentence.")
    call: CallSection
    expect: Annotated[Outcome | None, GIVEN] = Field(default=None, description="What the call must get.")
    visibility: Annotated[VisibilityLevel | None, GIVEN] = Field(default=None, description="How its tool is shown.")
    rule: OptionalText = Field(default=None, description="The id of the rule that must decide.")


class PolicyDocument(_Section):
    """A policy file."""

    version: Literal[1] = Field(description="The version of this format.")
    name: str = Field(default="", description="The policy's name.")
    agents: dict[str, AgentSection] = Field(default={}, description="Agent classes, by slug.")
    servers: dict[str, ServerSection] = Field(default={}, description="Upstream servers, by slug.")
    users: dict[str, UserSection] = Field(default={}, description="Users, by id.")
    rules: list[RuleSection] = Field(default=[], description="From top to bottom; the first match decides.")
    settings: SettingsSection = SettingsSection()
    tests: list[ExpectationSection] = Field(default=[], description="Expectations, run by `mcp-guard policy test`.")


SECTIONS: Mapping[tuple[str, ...], tuple[str, type[BaseModel]]] = {
    (): ("a policy", PolicyDocument),
    ("agents", "*"): ("an agent", AgentSection),
    ("servers", "*"): ("a server", ServerSection),
    ("servers", "*", "tools", "*"): ("a tool", ToolSection),
    ("users", "*"): ("a user", UserSection),
    ("rules", "*"): ("a rule", RuleSection),
    ("settings",): ("the settings", SettingsSection),
    ("tests", "*"): ("a test", ExpectationSection),
    ("tests", "*", "call"): ("a test's call", CallSection),
}
"""What stands at which path (`*`: any key or index), for messages."""
