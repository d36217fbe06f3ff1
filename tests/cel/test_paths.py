"""Which paths an expression reads, and which of the reads a `has` guards (marked with `?` here)."""

import pytest

from mcp_guard import cel

READS = [
    ("1 == 2", []),
    ('request.args.base == "main"', ["request.args.base"]),
    ('request.args["base"] == "main"', ["request.args.base"]),
    ("agent.slug == 'a' && mcp.tool.name == 'b'", ["agent.slug", "mcp.tool.name"]),
    ("request.args", ["request.args"]),
    # guarded by a has beside it
    ("has(request.args.x)", ["request.args.x?", "request.args"]),
    ("has(request.args.x) && request.args.x == 1", ["request.args.x?", "request.args"]),
    ("request.args.x == 1 && has(request.args.x)", ["request.args.x?", "request.args"]),
    ("!has(request.args.x) || request.args.x == 1", ["request.args.x?", "request.args"]),
    ("request.args.x == 1 || !has(request.args.x)", ["request.args.x?", "request.args"]),
    ("!(has(request.args.x) && request.args.x == 1)", ["request.args.x?", "request.args"]),
    ("has(request.args.x) ? request.args.x == 1 : true", ["request.args.x?", "request.args"]),
    ("!has(request.args.x) ? true : request.args.x == 1", ["request.args.x?", "request.args"]),
    ('"x" in request.args && request.args.x == 1', ["request.args", "request.args.x?"]),
    (
        "has(request.args.x) && (request.args.x == 1 || request.args.y == 2)",
        ["request.args.x?", "request.args", "request.args.y"],
    ),
    (
        "(has(request.args.x) && has(request.args.y)) && request.args.x == request.args.y",
        ["request.args.x?", "request.args", "request.args.y?"],
    ),
    # not guarded
    ("has(request.args.x) || request.args.x == 1", ["request.args.x", "request.args"]),
    ("!has(request.args.x) && request.args.x == 1", ["request.args.x", "request.args"]),
    ("has(request.args.x) ? true : request.args.x == 1", ["request.args.x", "request.args"]),
    (
        "(has(request.args.x) || has(request.args.y)) && request.args.x == 1",
        ["request.args.x", "request.args", "request.args.y?"],
    ),
    ("(has(request.args.x) && request.args.x == 1) || request.args.x == 2", ["request.args.x", "request.args"]),
    # below a guarded field
    ("has(request.args.x) && request.args.x.y == 1", ["request.args.x?", "request.args", "request.args.x.y"]),
    ("has(request.args.x.y)", ["request.args.x.y?", "request.args.x"]),
    (
        "has(request.args.x) && has(request.args.x.y) && request.args.x.y == 1",
        ["request.args.x?", "request.args", "request.args.x.y?"],
    ),
    # optional access needs no guard
    ("request.args.?x.orValue(1) == 1", ["request.args.x?"]),
    ("request.args[?'x'].orValue(1) == 1", ["request.args.x?"]),
    ("request.args.?x.y.orValue(1) == 1", ["request.args.x.y?"]),
    ("request.args.?x.optMap(v, v.y == 1).orValue(false)", ["request.args.x?", "request.args.x.y"]),
    # items of lists, and computed keys
    ("request.args.items[0].name == 'a'", ["request.args.items[*].name"]),
    ("request.args.items[request.args.n] == 1", ["request.args.items[*]", "request.args.n"]),
    ("request.args[agent.slug] == 1", ["request.args[*]", "agent.slug"]),
    ("request.args.to.all(r, r.endsWith('x'))", ["request.args.to", "request.args.to[*]"]),
    ("request.args.to.all(r, r.mail == 'x')", ["request.args.to", "request.args.to[*].mail"]),
    (
        "request.args.to.all(r, has(r.mail) && r.mail == 'x')",
        ["request.args.to", "request.args.to[*].mail?", "request.args.to[*]"],
    ),
    (
        "request.args.rows.exists(row, row.cells.exists(cell, cell.n == 1))",
        ["request.args.rows", "request.args.rows[*].cells", "request.args.rows[*].cells[*].n"],
    ),
    (
        "request.args.to.filter(r, has(r.a)).map(r, r.b)",
        ["request.args.to", "request.args.to[*].a?", "request.args.to[*]"],
    ),
    ("request.args.to.map(r, has(r.a), r.a)", ["request.args.to", "request.args.to[*].a?", "request.args.to[*]"]),
    ("request.args.all(k, v, v.x == 1)", ["request.args", "request.args[*].x"]),
    (
        "has(request.args.to) && request.args.to.all(r, r != request.args.x)",
        ["request.args.to?", "request.args", "request.args.to[*]", "request.args.x"],
    ),
    # names for paths
    ("cel.bind(a, request.args, a.x == 1)", ["request.args.x"]),
    ("cel.bind(a, request.args, has(a.x) && a.x == 1)", ["request.args.x?", "request.args"]),
    ("cel.bind(n, size(request.args.x), n > 1 && n < 3)", ["request.args.x"]),
    ("[1].all(request, request == 1)", []),
    ("[1].all(agent, .agent.slug == 'a')", ["agent.slug"]),
    # within calls and literals
    ("size(request.args.x + request.args.y) > 3", ["request.args.x", "request.args.y"]),
    ("[request.args.x, {'k': request.args.y}].size() > 3", ["request.args.x", "request.args.y"]),
    ("request.args.x.split(',')[0] == request.args.y", ["request.args.x", "request.args.y"]),
    ("type(request.args.x) == string", ["request.args.x"]),
]


@pytest.mark.parametrize(("source", "expected"), READS)
def test_the_paths_of_an_expression(source, expected):
    shown = [f"{path}{'?' if path.guarded else ''}" for path in cel.compile(source).paths]
    assert sorted(shown) == sorted(expected)


def test_a_path_has_its_segments_and_its_place():
    source = "true && request.args.items[0].name == 'a'"
    (path,) = cel.compile(source).paths
    assert path.segments == ("request", "args", "items", None, "name")
    assert source[path.at :].startswith("request")
    assert path == cel.Path(("request", "args", "items", None, "name"), guarded=False)


def test_one_unguarded_read_leaves_the_path_unguarded():
    program = cel.compile("(has(request.args.x) && request.args.x == 1) || size(request.args.x) > 1")
    assert {str(path): path.guarded for path in program.paths}["request.args.x"] is False


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("has(request.args.x)", ["request.args.x"]),
        ("has(request.args.x) && request.args.x == 1", ["request.args.x"]),
        ("has(request.args.x.y)", ["request.args.x.y"]),
        ("has(request.args.x) && size(request.args) == 1", ["request.args.x", "request.args"]),
        ("has(request.args[key].x)", ["request.args[*].x", "key"]),
        ("'x' in request.args", ["request.args"]),
    ],
)
def test_a_has_uses_its_field_and_not_what_the_field_is_in(source: str, used: list[str]) -> None:
    assert {str(path) for path in cel.compile(source).paths if path.used} == set(used)
