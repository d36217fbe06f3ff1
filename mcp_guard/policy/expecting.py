"""The inline tests of all files, put together: whose call, of what, and what it must get."""

from collections.abc import Iterator, Sequence
from typing import cast

from msgspec import UNSET, UnsetType

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.diagnostics import suggestion
from mcp_guard.policy.document import CallSection, ExpectationSection, PolicyDocument
from mcp_guard.policy.inline_tests import InlineTest
from mcp_guard.policy.report import Report
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.scope_checks import Fault, slug_fault
from mcp_guard.policy.selectors import OFFER_FIELDS
from mcp_guard.policy.shapes import Checked
from mcp_guard.policy.tree import Fields, Path
from mcp_guard.policy.values import Call, Json, OfferKind, Principal

KINDS: tuple[OfferKind, ...] = tuple(OFFER_FIELDS)
"""What a test's call can be of: so is the field called that names it."""


def tests(
    files: Sequence[Checked[PolicyDocument]], made: Sequence[Rule], declared: Declarations, report: Report
) -> list[InlineTest]:
    """The inline tests of the files. A test that names a rule must name one that there is."""
    known = {rule.id for rule in made} if not any(file.left_out for file in files) else None
    found: list[InlineTest] = []
    for file in files:
        for position, section in zip(file.positions("tests"), file.document.tests, strict=True):
            written = file.tree.find(("tests", position, "call"))
            given = set(written.at) if isinstance(written, Fields) else set[str]()
            for field, fault in (*_test_faults(section, known), *_offer_faults(section.call, given)):
                place = file.tree.place(file.tree.find(("tests", position, *field)))
                report.error(fault.code, fault.message, place, fault.hint)
            place = file.tree.place(file.tree.find(("tests", position)))
            call = _call(section, declared)
            expected = (section.expect or None, section.visibility or None, section.rule or None)
            found.append(InlineTest(section.name, call, *expected, place))
    return found


def _test_faults(section: ExpectationSection, rules: set[str] | None) -> Iterator[tuple[Path, Fault]]:
    if section.expect is UNSET and section.visibility is UNSET:
        yield (), Fault("empty-test", "nothing is expected here", "add `expect: allow`, `deny` or `require_approval`")
    if section.rule is not UNSET and section.expect is UNSET:
        yield ("rule",), Fault("empty-test", "`rule` goes with `expect`", "say what the rule must decide")
    if section.rule is not UNSET and rules is not None and section.rule not in rules:
        hint = suggestion(section.rule, rules)
        yield ("rule",), Fault("unknown-rule", f"no rule has the id `{section.rule}`", hint)
    call = section.call
    if call.agent is not UNSET and call.client is not UNSET:
        yield ("call", "client"), Fault("conflicting-fields", "`client` stands in place of `agent`", "keep one of them")
    if call.agent is not UNSET and (fault := slug_fault(call.agent)) is not None:
        yield ("call", "agent"), fault


def _offer_faults(call: CallSection, given: set[str]) -> Iterator[tuple[Path, Fault]]:
    """A call is of one thing; a resource takes no arguments. `given` are the fields as they were written."""
    there = [field for field in KINDS if field in given]
    if not there and given <= set(CallSection.__struct_fields__):
        yield ("call",), Fault("missing-field", "a test's call needs a `tool`, a `prompt` or a `resource`")
    for field in there[1:]:
        message = f"`{field}` stands in place of `{there[0]}`"
        yield ("call", field), Fault("conflicting-fields", message, "keep one of them")
    if call.resource is not UNSET and call.args:
        yield ("call", "args"), Fault("conflicting-fields", "a resource has no arguments", "leave `args` out")


def _call(section: ExpectationSection, declared: Declarations) -> Call:
    call = section.call
    agent = call.agent if call.agent is not UNSET else declared.agent_for(call.client or "")
    principal = Principal(agent, call.user, tuple(call.groups), verified=call.verified, user_verified=call.verified)
    for kind in KINDS:
        name: str | UnsetType = getattr(call, kind)
        if name is not UNSET:
            return Call(principal, call.server, name, cast(dict[str, Json], call.args), kind)
    return Call(principal, call.server, "")
