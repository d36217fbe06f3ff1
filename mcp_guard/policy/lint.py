"""What is legal in a policy and probably not meant: reported as warnings, which refuse nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mcp_guard.policy.assembly import RuleEntry
from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.diagnostics import closest, suggestion
from mcp_guard.policy.document import PolicyDocument
from mcp_guard.policy.report import Report
from mcp_guard.policy.rules import Rule, Scope
from mcp_guard.policy.selectors import OFFER_FIELDS, SCOPE_FIELDS, Kind, ScopeField, selector
from mcp_guard.policy.shapes import Checked
from mcp_guard.policy.tree import Fields, Items, Node, Scalar
from mcp_guard.policy.values import Effect, OfferKind

BOOLEANS_ELSEWHERE = frozenset(("yes", "no", "on", "off"))
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
        report.warning("no-rules", "no rule is active, so every tool is denied", root, "add a rule under `rules:`")
    _check_reach(active, report)
    known = _known_names(declared)
    for entry, rule in made:
        _check_names(entry, rule, known, report)
        if rule.scope.resources:
            _check_uris(entry, rule.scope.resources, rule.effect, report)


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
    """A rule for everything, without a condition, ends the list: what comes after it is never tried.

    That goes for what it is about; a rule about something else is still reached.
    """
    closed: dict[OfferKind, str] = {}
    for rule in active:
        enders = {closed[kind] for kind in rule.about if kind in closed}
        if enders and rule.about.keys() <= closed.keys():
            above = " and ".join(f"`{ender}`" for ender in sorted(enders))
            verb = "matches" if len(enders) == 1 else "match"
            message = f"never reached: {above} above it {verb} every call"
            report.warning("unreachable", message, rule.place, f"move it above {above}")
        elif rule.condition is None and rule.effect != "gated":
            for kind in _kinds_matched_whole(rule.scope, rule.about):
                closed.setdefault(kind, rule.id)


def _kinds_matched_whole(scope: Scope, about: Iterable[OfferKind]) -> Iterator[OfferKind]:
    """The kinds of offers of which a scope fits every single one, whoever asks."""
    if scope.agents is scope.users is scope.groups is scope.servers is None:
        for kind in about:
            if getattr(scope, OFFER_FIELDS[kind]) in (None, ("*",)):
                yield kind


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
    """A tag that nothing has matches nothing; a name beside declared ones that is none of them is likely a slip. So is
    a tag of agents much like a declared one; any other may be one that the registry gives.
    """
    for field in SCOPE_FIELDS:
        for position, written in enumerate(getattr(entry.section, field) or ()):
            kind, name = selector(field, written)
            names = known.get(field, {}).get(kind)
            if names is None or name in names or (kind == "name" and not names):
                continue
            if (field, kind) == ("agents", "tag") and not closest(name, names):
                continue
            code, what = UNDECLARED[field, kind]
            message = f"`{rule.id}` is for {what} that the policy does not declare: `{name}`"
            report.warning(code, message, entry.place(field, position), suggestion(name, names))


def _check_uris(entry: RuleEntry, uris: Sequence[str], effect: Effect, report: Report) -> None:
    """URIs that are compared in another form than they are written in, and stars that reach further than they look."""
    from mcp_guard.policy.uris import WEB_PORTS, read_pattern

    for position, written in enumerate(uris):
        place = entry.place("resources", position)
        normal = read_pattern(written).normal
        if normal != written:
            message = f"a URI must fit in its normal form too, which `{written}` does not have"
            report.warning("uneven-uri", message, place, f"write `{normal}`, alone or beside it")
        scheme, _, rest = written.partition("://")
        if effect != "deny" and scheme in WEB_PORTS and "*" in rest.partition("/")[0]:
            message = f"`*` stands for slashes too: `{written}` fits pages of any host"
            hint = r'write the host out, or ask in a condition: mcp.resource.uri.matches(r"^https://[a-z0-9-]+\.acme\.com/")'
            report.warning("star-in-host", message, place, hint)
