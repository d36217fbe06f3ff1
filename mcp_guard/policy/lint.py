"""What is legal in a policy and probably not meant: reported as warnings, which refuse nothing."""

from collections.abc import Iterator, Mapping, Sequence

from mcp_guard.policy.assembly import RuleEntry
from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.diagnostics import suggestion
from mcp_guard.policy.document import PolicyDocument
from mcp_guard.policy.report import Report
from mcp_guard.policy.rules import Rule, Scope
from mcp_guard.policy.selectors import SCOPE_FIELDS, Kind, ScopeField, selector
from mcp_guard.policy.shapes import Checked
from mcp_guard.policy.tree import Fields, Items, Node, Scalar

BOOLEANS_ELSEWHERE = frozenset(("yes", "no", "on", "off"))
CATCHES_ALL = Scope()
UNDECLARED: dict[tuple[ScopeField, Kind], tuple[str, str]] = {
    ("agents", "name"): ("unknown-agent", "an agent"),
    ("agents", "tag"): ("unknown-tag", "a tag of agents"),
    ("servers", "name"): ("unknown-server", "a server"),
    ("servers", "tag"): ("unknown-tag", "a tag of servers"),
    ("tools", "tag"): ("unknown-tag", "a tag of tools"),
}
"""The code and the words for an entry that nothing in the policy declares."""


RuleInFile = tuple[RuleEntry, Rule]
"""A rule as it stands in a file, and what became of it."""


def check(
    files: Sequence[Checked[PolicyDocument]], made: Sequence[RuleInFile], declared: Declarations, report: Report
) -> None:
    """Report what looks wrong in files that are right in form."""
    for file in files:
        for scalar in _truth_words(file.tree.root):
            message = f"`{scalar.value}` is text here, though other YAML readers take it for a boolean"
            report.warning("truth-word", message, file.tree.place(scalar), "write `true` or `false`, or quote it")
    active = [rule for _, rule in made if rule.status == "active"]
    if files and not active:
        root = files[0].tree.place(files[0].tree.root)
        report.warning("no-rules", "no rule is active, so everything is denied", root, "add a rule under `rules:`")
    _check_reach(active, report)
    known = _known_names(declared)
    for entry, rule in made:
        _check_names(entry, rule, known, report)


def _truth_words(node: Node) -> Iterator[Scalar]:
    """Every unquoted `yes`, `no`, `on` and `off` that stands for a value."""
    match node:
        case Scalar(value=str(word), style="plain") if word.lower() in BOOLEANS_ELSEWHERE:
            yield node
        case Items():
            for child in node.nodes:
                yield from _truth_words(child)
        case Fields():
            for _, child in node.pairs:
                yield from _truth_words(child)
        case _:
            pass


def _check_reach(active: Sequence[Rule], report: Report) -> None:
    """A rule for everything, without a condition, ends the list: what comes after it is never tried."""
    for position, rule in enumerate(active[:-1]):
        scope_is_open = rule.scope == CATCHES_ALL or rule.scope == Scope(tools=("*",))
        if scope_is_open and rule.condition is None and rule.effect != "gated":
            message = f"never reached: `{rule.id}` above it matches every call"
            for later in active[position + 1 :]:
                report.warning("unreachable", message, later.place, f"move it above `{rule.id}`")
            return


Known = Mapping[ScopeField, Mapping[str, frozenset[str]]]
"""For each scope field and kind of entry (`name`, `tag`) the names that the policy declares."""


def _known_names(declared: Declarations) -> Known:
    agents, servers = declared.agents.values(), declared.servers.values()
    tool_tags = (tag for server in servers for _, tags in server.tools for tag in tags)
    return {
        "agents": {"name": frozenset(declared.agents), "tag": frozenset(tag for one in agents for tag in one.tags)},
        "servers": {"name": frozenset(declared.servers), "tag": frozenset(tag for one in servers for tag in one.tags)},
        "tools": {"tag": frozenset(tool_tags)},
    }


def _check_names(entry: RuleEntry, rule: Rule, known: Known, report: Report) -> None:
    """A tag that nothing has matches nothing; a name beside declared ones that is none of them is likely a slip."""
    for field in SCOPE_FIELDS:
        for position, written in enumerate(getattr(entry.section, field) or ()):
            kind, name = selector(field, written)
            names = known.get(field, {}).get(kind)
            if names is None or name in names or (kind == "name" and not names):
                continue
            code, what = UNDECLARED[field, kind]
            message = f"`{rule.id}` is for {what} that the policy does not declare: `{name}`"
            report.warning(code, message, entry.place(field, position), suggestion(name, names))
