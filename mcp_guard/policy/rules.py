"""One rule, as it is tried: its scope, its condition, and the decisions that it can make.

The decisions are made once, when the policy is read: a decision names its rule and never quotes an argument.
"""

from typing import Literal

import msgspec

from mcp_guard import cel
from mcp_guard.policy.diagnostics import Place
from mcp_guard.policy.values import Decision, Effect, Outcome

Status = Literal["active", "draft", "disabled"]

OUTCOMES: dict[Effect, Outcome] = {
    "allow": "allow",
    "gated": "allow",
    "deny": "deny",
    "require_approval": "require_approval",
}
ALWAYS: dict[Outcome, str] = {
    "allow": 'Policy rule "{}" allows this tool.',
    "deny": 'Policy rule "{}" denies this tool, whatever its arguments.',
    "require_approval": 'Policy rule "{}" lets this tool be called only with a person\'s approval.',
}
MATCHED: dict[Outcome, str] = {
    "allow": 'Policy rule "{}" allows this call with these arguments.',
    "deny": 'Policy rule "{}" denies calls where `{}`.',
    "require_approval": 'Policy rule "{}" lets a call with these arguments through only with a person\'s approval.',
}
UNJUDGED = (
    'Policy rule "{}" denies this call because its condition could not be evaluated: an argument that it reads is '
    "missing or of another type than it expects, or the arguments are too large to judge. It denies calls where `{}`."
)
UNJUDGEABLE = (
    'Policy rule "{}" denies this tool because its condition cannot be evaluated here, whatever the arguments.'
)

LONGEST_TERMS = 300  # characters of a condition in a sentence


class Scope(msgspec.Struct, frozen=True):
    """Whom and what a rule is for. Within a field any entry may fit, across fields all must; None fits anything."""

    agents: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    servers: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None


class Verdicts(msgspec.Struct, frozen=True):
    """What a rule decides: where it matches whatever the arguments (`always`), where its condition holds for a call's
    arguments (`matched`), and where its condition cannot be evaluated, for a call or at all (None: it is skipped then).
    """

    always: Decision
    matched: Decision
    unjudged: Decision | None
    unjudgeable: Decision | None


class Reads(msgspec.Struct, frozen=True):
    """What a condition looks at: the names of the arguments, None where it may look at any; and whether at the tool."""

    arguments: frozenset[str] | None = frozenset()
    tool: bool = False


class Rule(msgspec.Struct, frozen=True):
    """One rule of a policy. `condition` is None where it has no `when`; `place` is where it stands in its file."""

    id: str
    name: str
    effect: Effect
    status: Status
    scope: Scope
    condition: cel.Program | None
    message: str | None
    place: Place
    verdicts: Verdicts
    reads: Reads = Reads()


def terms(condition: cel.Program | None) -> str:
    """A condition as part of a sentence, for people and models: on one line, bounded."""
    source = " ".join(condition.source.split()) if condition else "true"
    return source if len(source) <= LONGEST_TERMS else source[:LONGEST_TERMS] + "…"


def verdicts(rule: str, effect: Effect, message: str | None, condition: cel.Program | None) -> Verdicts:
    """The decisions of a rule. A deny rule decides also where its condition cannot be evaluated; no other does."""
    outcome = OUTCOMES[effect]
    where = terms(condition)

    def decision(text: str) -> Decision:
        return Decision(outcome, "policy", rule, text.format(rule, where), message)

    denies = outcome == "deny"
    return Verdicts(
        always=decision(ALWAYS[outcome]),
        matched=decision(MATCHED[outcome]),
        unjudged=decision(UNJUDGED) if denies else None,
        unjudgeable=decision(UNJUDGEABLE) if denies else None,
    )


def reads(condition: cel.Program | None) -> Reads:
    """What a condition looks at. Every doubt counts as a look: at all arguments, and at the tool."""
    arguments: set[str] | None = set()
    tool = False
    for path in condition.paths if condition else ():
        match path.segments:
            case ("request", "args", str(name), *_):
                arguments = arguments if arguments is None else arguments | {name}
            case ("request", *_):
                arguments = None
            case ("agent" | "user", *_):
                pass
            case ("mcp", str(field), *_) if field != "tool":
                pass
            case _:
                tool = True
    return Reads(None if arguments is None else frozenset(arguments), tool)
