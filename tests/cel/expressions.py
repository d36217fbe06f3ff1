"""Random expressions, each of one type or deliberately not, over the variables of `situations` and a loop's own.

They lean towards what goes wrong: missing fields, arguments of another type than is asked for, limits of 64 bits,
failures beside what absorbs them, nested loops.
"""

from hypothesis import strategies as st

ARGUMENTS = {
    "text": "Main-branch",
    "other": "naïve ☃ 🐱",
    "empty": "",
    "count": 7,
    "negative": -3,
    "huge": 2**63 - 1,
    "ratio": 2.5,
    "whole": 4.0,
    "flag": True,
    "off": False,
    "nothing": None,
    "names": ["main", "dev", "release/1.0"],
    "numbers": [3, 1, 2],
    "mixed": ["main", 3, True, None, 1.5],
    "bare": [],
    "nested": {"text": "x", "names": ["a", "b"], "deep": {"count": 1}},
    "people": [{"mail": "a@acme.com", "age": 30}, {"mail": "b@evil.org"}, {"mail": "c@acme.com", "age": 17}],
}

TEXTS = ["", "main", "Main-branch", "a@acme.com", "é☃", "x", "-", "1", "-12", "2.5", "true", "text", "deep"]
INTS = [0, 1, -1, 2, 3, 7, 10, -3, 2**63 - 1, -(2**63), 2**62]
SMALL_INTS = [0, 1, -1, 2, 3, 7, 10, -3]
DOUBLES = [0.0, 1.0, -1.5, 2.5, 4.0, 100.25]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def argument(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"request.args.{name}" for name in names])


ANY_ARGUMENT = st.one_of(
    argument(*ARGUMENTS, "missing"),
    st.sampled_from(
        [
            "request.args.nested.text",
            "request.args.nested.missing",
            "request.args.missing.text",
            "request.args.people[0].mail",
            "request.args.people[1].age",
            "request.args.names[3]",
            'request.args["count"]',
            "agent.slug",
            "agent.tags",
            "agent.verified",
            "mcp.tool.name",
        ]
    ),
)


def _sometimes_wrong(typed: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Mostly of the type, now and then anything at all."""
    return st.integers(0, 7).flatmap(lambda die: ANY_ARGUMENT if die == 0 else typed)


def texts(depth: int, variables: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    simple = st.one_of(
        st.sampled_from(TEXTS).map(quoted),
        argument("text", "other", "empty"),
        st.sampled_from(["agent.slug", "user.email", "mcp.tool.name", *variables]),
    )
    if depth <= 0:
        return _sometimes_wrong(simple)
    inner, whole = texts(depth - 1, variables), ints(depth - 1, variables)
    condition = bools(depth - 1, variables)
    return _sometimes_wrong(
        st.one_of(
            simple,
            st.builds("({} + {})".format, inner, inner),
            st.builds("({} ? {} : {})".format, condition, inner, inner),
            st.builds("string({})".format, whole),
            st.builds("{}[{}]".format, text_lists(depth - 1, variables), whole),
            st.builds("{}.lowerAscii()".format, inner),
            st.builds("{}.replace({}, {})".format, inner, inner, inner),
            st.builds("{}.substring({})".format, inner, whole),
            st.builds("{}.trim()".format, inner),
            st.builds("{}.charAt({})".format, inner, whole),
            st.builds("{}.join({})".format, text_lists(depth - 1, variables), inner),
        )
    )


def ints(depth: int, variables: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    simple = st.one_of(st.sampled_from(INTS).map(str), argument("count", "negative", "huge"))
    if depth <= 0:
        return _sometimes_wrong(simple)
    inner = ints(depth - 1, variables)
    return _sometimes_wrong(
        st.one_of(
            simple,
            st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), inner),
            st.builds("size({})".format, texts(depth - 1, variables)),
            st.builds("{}.size()".format, text_lists(depth - 1, variables)),
            st.builds("({} ? {} : {})".format, bools(depth - 1, variables), inner, inner),
            st.builds("int(string({}))".format, texts(depth - 1, variables)),
            st.builds("-({})".format, inner),
            st.builds("{}.indexOf({})".format, texts(depth - 1, variables), texts(depth - 1, variables)),
        )
    )


def small_numbers() -> st.SearchStrategy[str]:
    """Numbers that a double holds exactly: beyond them other engines compare by rounding."""
    return st.one_of(
        st.sampled_from(SMALL_INTS).map(str),
        st.sampled_from(DOUBLES).map(repr),
        argument("count", "negative", "ratio", "whole"),
    )


def text_lists(depth: int, variables: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    simple = st.one_of(
        argument("names", "bare", "mixed"),
        st.sampled_from(["agent.tags", "user.groups", "[]"]),
        st.lists(st.sampled_from(TEXTS).map(quoted), max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    )
    if depth <= 0:
        return simple
    inner = text_lists(depth - 1, variables)
    name = f"v{depth}"
    return _sometimes_wrong(
        st.one_of(
            simple,
            st.builds("({} + {})".format, inner, inner),
            st.builds("{}.filter({}, {})".format, inner, st.just(name), bools(depth - 1, (*variables, name))),
            st.builds("{}.map({}, {})".format, inner, st.just(name), texts(depth - 1, (*variables, name))),
            st.builds("{}.split({})".format, texts(depth - 1, variables), st.sampled_from(TEXTS[1:]).map(quoted)),
        )
    )


def bools(depth: int, variables: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    simple = st.one_of(
        st.sampled_from(["true", "false", "agent.verified", "user.verified"]), argument("flag", "off", "missing")
    )
    if depth <= 0:
        return _sometimes_wrong(simple)
    inner, text, whole = bools(depth - 1, variables), texts(depth - 1, variables), ints(depth - 1, variables)
    items, name = text_lists(depth - 1, variables), f"v{depth}"
    in_loop = bools(depth - 1, (*variables, name))
    ordering, equality = st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from(["==", "!="])
    return _sometimes_wrong(
        st.one_of(
            simple,
            st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner),
            st.builds("({} && {} && {})".format, inner, inner, inner),
            st.builds("({} || {} || {})".format, inner, inner, inner),
            st.builds("!({})".format, inner),
            st.builds("({} ? {} : {})".format, inner, inner, inner),
            st.builds("({} {} {})".format, text, equality, text),
            st.builds("({} {} {})".format, text, ordering, text),
            st.builds("({} {} {})".format, whole, st.one_of(equality, ordering), whole),
            st.builds("({} {} {})".format, small_numbers(), st.one_of(equality, ordering), small_numbers()),
            st.builds("({} {} {})".format, ANY_ARGUMENT, equality, ANY_ARGUMENT),
            st.builds("({} {} {})".format, items, equality, items),
            st.builds("({} in {})".format, text, items),
            st.builds("({} in request.args)".format, text),
            st.builds("({} in {})".format, ANY_ARGUMENT, ANY_ARGUMENT),
            st.builds("{}.{}({})".format, text, st.sampled_from(["contains", "startsWith", "endsWith"]), text),
            st.builds(
                "{}.matches({})".format,
                text,
                st.sampled_from([r'r"^\w+$"', 'r"a.*m"', '"(?i)MAIN"', '"[0-9]+$"', '""', r'r"^\S*$"']),
            ),
            st.builds(
                "has({})".format,
                st.sampled_from(
                    [
                        "request.args.text",
                        "request.args.missing",
                        "request.args.nothing",
                        "request.args.nested.deep",
                        "request.args.missing.deep",
                        "request.args.text.deep",
                        "request.args.people[0].age",
                    ]
                ),
            ),
            st.builds(
                "{}.{}({}, {})".format, items, st.sampled_from(["all", "exists", "exists_one"]), st.just(name), in_loop
            ),
            st.builds(
                "request.args.people.{}(p, {})".format,
                st.sampled_from(["all", "exists", "exists_one"]),
                st.sampled_from(
                    ['p.mail.endsWith("@acme.com")', "p.age > 18", "has(p.age) && p.age > 18", 'p.mail == "b@evil.org"']
                ),
            ),
            st.builds("cel.bind({}, {}, {})".format, st.just(name), st.one_of(text, ANY_ARGUMENT), in_loop),
            st.builds("({}.orValue({}) {} {})".format, optionals(depth - 1, variables), text, equality, text),
            st.builds("{}.hasValue()".format, optionals(depth - 1, variables)),
            st.builds(
                "{}.optMap({}, {}).orValue({})".format, optionals(depth - 1, variables), st.just(name), in_loop, inner
            ),
            st.builds("{{{}: {}}}[{}]".format, text, inner, text),
            st.builds(
                "(type({}) == {})".format, ANY_ARGUMENT, st.sampled_from(["string", "int", "bool", "list", "map"])
            ),
        )
    )


def optionals(depth: int, variables: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(
            [
                "request.args.?text",
                "request.args.?missing",
                "request.args.?nested.?deep.?missing",
                "request.args.?nested.?text",
                "request.args.?text.?deep",
                'request.args[?"other"]',
                "request.args.names[?1]",
                "request.args.names[?7]",
                "optional.none()",
            ]
        ),
        st.builds("optional.of({})".format, texts(depth - 1, variables)),
        st.builds("optional.ofNonZeroValue({})".format, texts(depth - 1, variables)),
        st.builds("optional.of({}).or({})".format, texts(depth - 1, variables), st.just("request.args.?missing")),
        st.builds("request.args[?{}]".format, st.sampled_from(TEXTS).map(quoted)),
    )
