"""One rule, as it is tried: its scope, its condition, and the decisions that it can make.

The decisions are made once, when the policy is read: a decision names its rule and never quotes an argument.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from mcp_guard import cel
from mcp_guard.policy.diagnostics import Place
from mcp_guard.policy.selectors import OFFER_FIELDS
from mcp_guard.policy.values import Decision, Effect, OfferKind, Outcome
from mcp_guard.policy.wording import ALWAYS, MATCHED, UNJUDGEABLE, UNJUDGED, WORDS

Status = Literal["active", "draft", "disabled"]

OUTCOMES: dict[Effect, Outcome] = {
    "allow": "allow",
    "gated": "allow",
    "deny": "deny",
    "require_approval": "require_approval",
}

Reading = tuple[str | None, ...]
"""A path that a condition reads below the arguments; None: any item of a list, or a computed key."""

LONGEST_TERMS = 300  # characters of a condition in a sentence


class Scope(msgspec.Struct, frozen=True):
    """Whom and what a rule is for. Within a field any entry may fit, across fields all must; None fits anything."""

    agents: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    servers: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None

    @property
    def named(self) -> tuple[OfferKind, ...]:
        """The kinds of offers that are named here: those whose field is there."""
        return tuple(kind for kind, field in OFFER_FIELDS.items() if getattr(self, field) is not None)


class Verdicts(msgspec.Struct, frozen=True):
    """What a rule decides: where it matches whatever the arguments (`always`), where its condition holds for a call's
    arguments (`matched`), and where its condition cannot be evaluated, for a call or at all (None: it is skipped then).
    """

    always: Decision
    matched: Decision
    unjudged: Decision | None
    unjudgeable: Decision | None


class Reads(msgspec.Struct, frozen=True):
    """What a condition looks at: the names of the arguments, None where it may look at any; of `mcp.tool`,
    `mcp.prompt` and `mcp.resource` those that it may look at; and the `members`, or items, within arguments.
    """

    arguments: frozenset[str] | None = frozenset()
    offers: frozenset[OfferKind] = frozenset()
    members: frozenset[Reading] = frozenset()

    @property
    def only_argument(self) -> str | None:
        """The one argument that a condition looks at; None where there is none, or more than one."""
        return next(iter(self.arguments)) if self.arguments is not None and len(self.arguments) == 1 else None


class Rule(msgspec.Struct, frozen=True):
    """One rule of a policy. `condition` is None where it has no `when`; `place` is where it stands in its file. `about`
    holds the kinds of offers that it says something about (see `kinds`), and what it decides about each. `cost` is what
    a call costs that it lets through, in US dollars.
    """

    id: str
    name: str
    effect: Effect
    status: Status
    scope: Scope
    condition: cel.Program | None
    message: str | None
    place: Place
    about: Mapping[OfferKind, Verdicts]
    reads: Reads = Reads()
    cost: float | None = None


def kinds(effect: Effect, scope: Scope, reads: Reads) -> tuple[OfferKind, ...]:
    """What a rule is about: the kinds that it names. One that names none is about tools; but a denial that asks neither
    which of them nor for its arguments is about everything: who writes that an agent is denied means all of it.
    """
    if scope.named:
        return scope.named
    is_for_all = effect == "deny" and not reads.offers and reads.arguments == frozenset()
    return tuple(OFFER_FIELDS) if is_for_all else ("tool",)


def terms(condition: cel.Program | None) -> str:
    """A condition as part of a sentence, for people and models: on one line, bounded."""
    source = " ".join(condition.source.split()) if condition else "true"
    return source if len(source) <= LONGEST_TERMS else source[:LONGEST_TERMS] + "…"


def verdicts(
    rule: str, effect: Effect, message: str | None, condition: cel.Program | None, kind: OfferKind = "tool"
) -> Verdicts:
    """The decisions of a rule about what is of a kind. A deny rule decides also where its condition cannot be
    evaluated; no other does.
    """
    outcome = OUTCOMES[effect]
    where, words = terms(condition), WORDS[kind]

    def decision(text: str) -> Decision:
        return Decision(outcome, "policy", rule, text.format(rule=rule, where=where, words=words), message)

    denies = outcome == "deny"
    return Verdicts(
        always=decision(ALWAYS[outcome]),
        matched=decision(MATCHED[outcome]),
        unjudged=decision(UNJUDGED) if denies else None,
        unjudgeable=decision(UNJUDGEABLE) if denies else None,
    )


def reads(condition: cel.Program | None) -> Reads:
    """What a condition looks at. Every doubt counts as a look: at all arguments, and at offers of any kind."""
    arguments: set[str] | None = set()
    offers: set[OfferKind] = set()
    for path in condition.paths if condition else ():
        match path.segments:
            case ("request", "args", str(name), *_):
                arguments = arguments if arguments is None else arguments | {name}
            case ("request", *_) if not path.used:
                pass  # a `has` of an argument: that is a look at the argument, whatever others there are
            case ("request", *_):
                arguments = None
            case ("agent" | "user", *_):
                pass
            case ("mcp", "tool" | "prompt" | "resource" as kind, *_):
                offers.add(kind)
            case ("mcp", str(), *_):
                pass
            case _:
                offers.update(OFFER_FIELDS)
    return Reads(None if arguments is None else frozenset(arguments), frozenset(offers), members(condition))


def members(condition: cel.Program | None) -> frozenset[Reading]:
    """The paths that a condition reads within arguments, or only asks for, each from the argument's name down."""
    found = (path.segments for path in condition.paths) if condition else ()
    within = (path for path in found if path[0] == "request" and path[1:2] in (("args",), (None,)))
    return frozenset(path[2:] for path in within if len(path) > 3)
