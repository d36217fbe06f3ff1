"""The values that go into a decision and come out of it. Nothing here computes.

A `Call` carries bare facts (slugs and names); what the policy file says about them (tags, groups, display names) is
looked up by the policy itself, so that one call can be judged by any policy, now or on replay.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Effect = Literal["allow", "deny", "gated", "require_approval"]
Outcome = Literal["allow", "deny", "require_approval"]
VisibilityLevel = Literal["allowed", "denied", "conditional"]
OfferKind = Literal["tool", "prompt", "resource"]
DecidedBy = Literal["quarantine", "budget", "eval_gate", "override", "grant", "policy", "approval", "default", "guard"]
RuleOutcome = Literal["matched", "out_of_scope", "condition_false", "condition_error", "condition_unknown", "inactive"]


class Principal(msgspec.Struct, frozen=True, cache_hash=True):
    """Who calls: the agent class, the one connected instance of it, and the user who owns that instance.

    `agent` is a slug; `verified` says whether a launching config or a credential vouched for it. `groups` are those the
    edge knows of (command line, claims); the policy adds those of its own `users` section. `tags`, `risk` and `status`
    are what the registry says of the agent; the policy adds the tags of its own `agents` section.
    """

    agent: str
    user: str
    groups: tuple[str, ...] = ()
    instance: str = ""
    verified: bool = False
    user_verified: bool = False
    tags: tuple[str, ...] = ()
    risk: str = "medium"
    status: str = "active"


class Call(msgspec.Struct, frozen=True):
    """What an agent asks of a server: to call a tool, to get a prompt, to read a resource. Who asks, which server, the
    `name` of the tool or prompt or the URI of the resource, and the arguments (`{}` where there are none; a resource
    never has any).
    """

    principal: Principal
    server: str
    name: str
    arguments: Mapping[str, Json] = {}
    kind: OfferKind = "tool"


class RuleTrace(msgspec.Struct, frozen=True):
    """One rule's part in a decision. `error` is the text of a condition that could not be evaluated, else None."""

    rule: str
    effect: Effect
    outcome: RuleOutcome
    error: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """The outcome for one call, with who decided and why. `reason` is one sentence for people and models, without
    argument values; `message` is the rule's own text for the agent. `trace` is empty unless it was asked for. `binding`
    is a denial that holds also where decisions are otherwise only recorded (observe mode).
    """

    outcome: Outcome
    decided_by: DecidedBy
    rule: str | None
    reason: str
    message: str | None = None
    trace: tuple[RuleTrace, ...] = ()
    binding: bool = False


class Visibility(msgspec.Struct, frozen=True):
    """The outcome for one tool, prompt or resource at discovery: whether any arguments could let a call through.
    `falls_through` says that with some arguments no rule matches, so that it is denied by default.
    """

    level: VisibilityLevel
    trace: tuple[RuleTrace, ...] = ()
    falls_through: bool = False
