"""The conditions of rules: the variables they may use, and their errors at the right place of the policy file."""

from mcp_guard import cel
from mcp_guard.cel.types import BOOL, DYN, STRING, list_of, map_of, record
from mcp_guard.policy.report import Report
from mcp_guard.policy.spans import offset_of
from mcp_guard.policy.tree import Node, Scalar, Tree

_NAMED = {"id": STRING, "name": STRING, "slug": STRING, "tags": list_of(STRING)}
_USER = {"id": STRING, "name": STRING, "email": STRING, "groups": list_of(STRING), "verified": BOOL}
_OFFERS = {
    "tool": record("mcp.tool", {"name": STRING, "tags": list_of(STRING)}),
    "prompt": record("mcp.prompt", {"name": STRING}),
    "resource": record("mcp.resource", {"uri": STRING}),
}

VARIABLES = {
    "agent": record("agent", {**_NAMED, "risk": STRING, "status": STRING, "verified": BOOL}),
    "user": record("user", _USER),
    "mcp": record("mcp", {**_NAMED, **_OFFERS}),
    "request": record("request", {"args": map_of(STRING, DYN)}),
}
"""What a condition may read. `situation` gives the values of all but `request`; of `mcp.tool`, `mcp.prompt` and
`mcp.resource` only the one that a call is about is there.
"""


def compile_condition(source: str, tree: Tree, node: Node, report: Report) -> cel.Program | None:
    """The compiled condition, or None where it does not compile, which is reported."""
    if not source.strip():
        hint = "leave `when` out for a rule without a condition"
        report.error("empty-condition", "a condition without anything in it", tree.place(node), hint)
        return None
    try:
        return cel.compile(source, variables=VARIABLES, expect_bool=True)
    except cel.CompileError as error:
        at = offset_of(tree.text, node, error.line, error.column) if isinstance(node, Scalar) else node.start
        report.error("condition", error.message, tree.text.place(at), error.hint)
        return None
