"""What decisions say of a tool, a prompt or a resource, in the words that fit each."""

from collections.abc import Mapping

import msgspec

from mcp_guard.policy.values import OfferKind, Outcome


class Words(msgspec.Struct, frozen=True):
    """`thing` is offered, and is `used`; `one` use of it, and `many`. `whatever` and `regardless` follow what holds for
    any arguments, where there are some.
    """

    thing: str
    used: str
    one: str
    many: str
    whatever: str = ", whatever its arguments"
    regardless: str = ", whatever the arguments"


WORDS: Mapping[OfferKind, Words] = {
    "tool": Words("tool", "called", "call", "calls"),
    "prompt": Words("prompt", "used", "prompt", "prompts"),
    "resource": Words("resource", "read", "resource", "resources", whatever="", regardless=""),
}

NO_RULE = "No policy rule allows this {words.thing}."
NO_RULE_FOR_THESE = "No policy rule allows this {words.one} with these arguments. {would}."
UNGOVERNED = "No policy rule is about {words.many}."
CANNOT_TELL = "This resource is denied because its URI could be read as another one: {doubt}."
WOULD: Mapping[Outcome, str] = {
    "allow": 'Rule "{rule}" allows {words.many} where `{where}`',
    "require_approval": 'Rule "{rule}" lets {words.many} through with a person\'s approval where `{where}`',
}
ALWAYS: Mapping[Outcome, str] = {
    "allow": 'Policy rule "{rule}" allows this {words.thing}.',
    "deny": 'Policy rule "{rule}" denies this {words.thing}{words.whatever}.',
    "require_approval": 'Policy rule "{rule}" lets this {words.thing} be {words.used} only with a person\'s approval.',
}
MATCHED: Mapping[Outcome, str] = {
    "allow": 'Policy rule "{rule}" allows this {words.one} with these arguments.',
    "deny": 'Policy rule "{rule}" denies {words.many} where `{where}`.',
    "require_approval": (
        'Policy rule "{rule}" lets a {words.one} with these arguments through only with a person\'s approval.'
    ),
}
UNJUDGED = (
    'Policy rule "{rule}" denies this {words.one} because its condition could not be evaluated: an argument that it '
    "reads is missing or of another type than it expects, or the arguments are too large to judge. It denies "
    "{words.many} where `{where}`."
)
UNJUDGEABLE = (
    'Policy rule "{rule}" denies this {words.thing} because its condition cannot be evaluated here{words.regardless}.'
)
