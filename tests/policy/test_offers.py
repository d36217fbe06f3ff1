"""Which rules speak of prompts and resources, and what they get where none does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.policy import Call, Principal
from mcp_guard.policy.globs import Glob
from mcp_guard.policy.templates import expansions, fit
from mcp_guard.policy.values import OfferKind
from tests.policy.making import ALICE, policy_of, rules

NAMES: dict[OfferKind, str] = {"tool": "t", "prompt": "p", "resource": "file:///r"}
ALLOW_TOOLS = "{id: tools, effect: allow}"

# the rules, and the outcome for a tool `t`, a prompt `p` and a resource `file:///r`
CASES = [
    ("no rules at all", [], "deny allow allow"),
    ("a rule that names nothing is about tools", [ALLOW_TOOLS], "allow allow allow"),
    ("one that names tools says nothing of the rest", ["{id: a, effect: deny, tools: '*'}"], "deny allow allow"),
    ("naming a prompt closes all others", [ALLOW_TOOLS, "{id: a, effect: allow, prompts: q}"], "allow deny allow"),
    ("and opens that one", ["{id: a, effect: allow, prompts: p}"], "deny allow allow"),
    ("naming a resource closes all others", ["{id: a, effect: allow, resources: 'x:y'}"], "deny allow deny"),
    ("a denial of one closes all, too", ["{id: a, effect: deny, resources: 'x:y'}"], "deny allow deny"),
    ("for another agent as well", ["{id: a, effect: allow, prompts: p, agents: cursor}"], "deny deny allow"),
    ("a draft closes nothing", ["{id: a, effect: allow, prompts: q, status: draft}"], "deny allow allow"),
    ("each kind by its field", ["{id: a, effect: allow, tools: x, prompts: p, resources: 'x:y'}"], "deny allow deny"),
    ("a bare denial is about everything", [ALLOW_TOOLS, "{id: a, effect: deny}"], "allow deny deny"),
    ("for whom it is meant", [ALLOW_TOOLS, "{id: a, effect: deny, agents: cursor}"], "allow allow allow"),
    ("above all else", ["{id: a, effect: deny, agents: claude-code}", ALLOW_TOOLS], "deny deny deny"),
    ("with a condition on who asks", ["{id: a, effect: deny, when: '!agent.verified'}", ALLOW_TOOLS], "deny deny deny"),
    ("not one on the tool", ["{id: a, effect: deny, when: mcp.tool.name == 't'}", ALLOW_TOOLS], "deny allow allow"),
    ("nor with one on arguments", ["{id: a, effect: deny, when: size(request.args) == 0}"], "deny allow allow"),
    ("a bare approval is about tools", ["{id: a, effect: require_approval}"], "require_approval allow allow"),
    ("prompts and resources need approval as tools do",
     ["{id: a, effect: require_approval, prompts: '*', resources: '*'}"], "deny require_approval require_approval"),
    ("a condition may ask which it is",
     ["{id: a, effect: allow, tools: t, prompts: p, when: has(mcp.prompt)}"], "deny allow allow"),
    ("and what it is called", ["{id: a, effect: allow, resources: '*', when: mcp.resource.uri.endsWith('r')}"],
     "deny allow allow"),
    ("a resource has no arguments",
     ["{id: a, effect: allow, resources: '*', when: 'request.args == {}'}"], "deny allow allow"),
    ("so a denial that needs one denies", ["{id: a, effect: deny, resources: '*', when: request.args.x == 1}"],
     "deny allow deny"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "outcomes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_a_tool_a_prompt_and_a_resource_get(given: list[str], outcomes: str) -> None:
    policy = policy_of(rules(*given) if given else "version: 1")
    got = [policy.decide(Call(ALICE, "s", name, {}, kind)).outcome for kind, name in NAMES.items()]
    assert " ".join(got) == outcomes


@pytest.mark.parametrize(("kind", "setting"), [("prompt", "ungoverned_prompts"), ("resource", "ungoverned_resources")])
def test_a_setting_closes_what_no_rule_speaks_of(kind: OfferKind, setting: str) -> None:
    policy = policy_of(f"version: 1\nsettings: {{{setting}: deny}}\nrules: [{{id: a, effect: allow}}]")
    decision = policy.decide(Call(ALICE, "s", NAMES[kind], {}, kind))
    assert (decision.outcome, decision.decided_by) == ("deny", "default")
    assert decision.reason == f"No policy rule allows this {kind}."


def test_the_policy_has_a_say_where_some_rule_could_match_or_the_rest_is_closed() -> None:
    rogue, other = Principal("rogue", "u"), Principal("cursor", "u")
    bare = policy_of(rules(ALLOW_TOOLS, "{id: a, effect: deny, agents: rogue}"))
    assert bare.governs(rogue, "s", "prompt")
    assert not bare.governs(other, "s", "prompt")
    named = policy_of(rules("{id: a, effect: allow, prompts: p, servers: github}"))
    assert named.governs(other, "s", "prompt")
    assert not named.governs(other, "s", "resource")


def test_prompts_are_judged_on_their_arguments_and_shown_accordingly() -> None:
    policy = policy_of(rules("{id: a, effect: gated, prompts: review, when: request.args.language == 'python'}"))
    assert policy.preview(ALICE, "s", "review", kind="prompt").level == "conditional"
    assert policy.preview(ALICE, "s", "other", kind="prompt").level == "denied"
    assert policy.decide(Call(ALICE, "s", "review", {"language": "python"}, "prompt")).outcome == "allow"
    refused = policy.decide(Call(ALICE, "s", "review", {"language": "c"}, "prompt"))
    assert refused.reason == (
        "No policy rule allows this prompt with these arguments. "
        "Rule \"a\" allows prompts where `request.args.language == 'python'`."
    )


COMPLETIONS: list[tuple[OfferKind, str, str]] = [
    ("prompt", "review", "allow"),
    ("prompt", "other", "deny"),
    ("resource", "file:///data/{path}", "allow"),
    ("resource", "file:///data/a", "allow"),
    ("resource", "file:///etc/{path}", "deny"),
    ("resource", "file:///etc/passwd", "deny"),
]


@pytest.mark.parametrize(("kind", "name", "outcome"), COMPLETIONS)
def test_arguments_are_completed_for_what_is_shown(kind: OfferKind, name: str, outcome: str) -> None:
    given = "{id: a, effect: gated, prompts: review, when: request.args.x == 1}"
    policy = policy_of(rules(given, "{id: b, effect: allow, resources: 'file:///data/*'}"))
    assert policy.decide_completion(Call(ALICE, "s", name, {}, kind)).outcome == outcome


TEMPLATES = [
    ("{id: a, effect: allow, resources: 'file:///data/*'}", "file:///data/{path}", True),
    ("{id: a, effect: allow, resources: 'file:///data/*'}", "file:///{path}", True),
    ("{id: a, effect: allow, resources: 'file:///data/*'}", "file:///etc/{path}", False),
    ("{id: a, effect: allow, resources: 'file:///data/*'}", "{+any}", True),
    ("{id: a, effect: allow, resources: '*.txt'}", "file:///{name}.txt", True),
    ("{id: a, effect: allow, resources: '*.txt'}", "file:///{name}.md", False),
    ("{id: a, effect: allow, resources: 'file:///data/a'}", "file:///data/{name}", True),
    ("{id: a, effect: allow, resources: 'file:///data/a'}", "file:///data/{name", True),
    ("{id: a, effect: deny, resources: '*'}", "file:///data/{name}", False),
    ("{id: a, effect: require_approval, resources: '*'}", "file:///data/{name}", True),
    ("{id: a, effect: deny, resources: '*', when: mcp.resource.uri == 'x:y'}", "file:///data/{name}", False),
    ("{id: a, effect: allow, resources: '*', when: mcp.resource.uri == 'x:y'}", "file:///data/{name}", True),
    ("{id: a, effect: allow, resources: '*', when: agent.slug == 'cursor'}", "file:///data/{name}", False),
]


@pytest.mark.parametrize(("rule", "template", "shown"), TEMPLATES)
def test_a_template_is_shown_where_it_could_expand_to_what_may_be_read(rule: str, template: str, shown: bool) -> None:
    assert policy_of(rules(rule)).shows_template(ALICE, "s", template) is shown


def test_a_denial_above_hides_a_template_only_where_it_covers_all_of_it() -> None:
    policy = policy_of(
        rules("{id: a, effect: deny, resources: 'file:///data/secret/*'}", "{id: b, effect: allow, resources: '*'}")
    )
    assert not policy.shows_template(ALICE, "s", "file:///data/secret/{name}")
    assert policy.shows_template(ALICE, "s", "file:///data/{name}")


COVERED = [
    ("x://*/secret*", "x://evil/secret{id}", True),
    ("x://*/secret*", "x://{host}/secret{id}", True),
    ("x://*/secret*", "x://{host}/a/secret", True),
    ("x://*/a*b*c", "x://h/a{x}b{y}c", True),
    ("x://*/a*b*c", "x://h/b{x}a{y}c", False),
    ("x://*/secret*", "x://evil/sec{id}ret", False),
    ("x://*/secret*", "x://evil/{id}", False),
    ("x:*a*aa", "x:a{id}a", False),
    ("x:*a*a", "x:{id}a", False),
    ("x:*a*a", "x:{id}aa", True),
]


@pytest.mark.parametrize(("denied", "template", "covered"), COVERED)
def test_a_denial_covers_a_template_where_its_words_stand_between_the_expressions(
    denied: str, template: str, covered: bool
) -> None:
    deny, allow = f"{{id: a, effect: deny, resources: '{denied}'}}", "{id: b, effect: allow, resources: '*'}"
    assert policy_of(rules(deny, allow)).shows_template(ALICE, "s", template) is not covered


@given(
    st.lists(st.sampled_from("ab*"), max_size=7), st.lists(st.sampled_from(["a", "b", "{x}"]), max_size=6), st.data()
)
def test_what_a_denial_covers_it_denies_whatever_an_expression_stands_for(
    pattern: list[str], template: list[str], data: st.DataObject
) -> None:
    uris = expansions("".join(template))
    if fit(["".join(pattern)], uris) == "all":
        values = [data.draw(st.text("ab", max_size=3)) if piece == "{x}" else piece for piece in template]
        assert Glob.of("".join(pattern)).matches("".join(values))
