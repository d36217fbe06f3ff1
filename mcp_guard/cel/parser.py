"""Tokens to the syntax tree, by the grammar of the CEL specification: one method for each of its lines.

Binary operators are read by precedence from one table. What a call means (a macro or a function) is decided by
`macros.expand`, so that this file is the grammar and nothing else.
"""

from collections.abc import Callable

from mcp_guard.cel.errors import CompileError, compile_error
from mcp_guard.cel.lexer import RESERVED, Token, tokens
from mcp_guard.cel.limits import DEPTH, NESTING, NODES
from mcp_guard.cel.macros import expand
from mcp_guard.cel.syntax import (
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Name,
    Node,
    Record,
    Select,
    Ternary,
    Unary,
    walk,
)
from mcp_guard.cel.values import INT_MAX

RELATION, ADDITION, PRODUCT = 1, 2, 3
PRECEDENCE = {
    "<": RELATION,
    "<=": RELATION,
    ">": RELATION,
    ">=": RELATION,
    "==": RELATION,
    "!=": RELATION,
    "in": RELATION,
    "+": ADDITION,
    "-": ADDITION,
    "*": PRODUCT,
    "/": PRODUCT,
    "%": PRODUCT,
}

WORDS_OF_OTHER_LANGUAGES = {"and": "write `&&`", "or": "write `||`", "not": "write `!`", "is": "write `==`"}

MakeCall = Callable[[str, Call], Node]


def parse(source: str, make_call: MakeCall = expand) -> Node:
    """The tree of a source, its macros expanded. Raises `CompileError`.

    `make_call` is asked for each call with the source and the call as it was written.
    """
    parser = _Parser(source, tokens(source), make_call)
    tree = parser.expression()
    if parser.kind != "end":
        raise parser.unexpected("the expression ends here")
    _within_limits(source, tree)
    return tree


def _within_limits(source: str, tree: Node) -> None:
    for count, (node, depth) in enumerate(walk(tree), 1):
        if depth > DEPTH or count > NODES:
            raise compile_error(source, node.at, "the expression is too deep or has too many parts")


class _Parser:
    """One pass over the tokens, from left to right, with one token of look-ahead and no way back."""

    def __init__(self, source: str, found: list[Token], make_call: MakeCall) -> None:
        self.source = source
        self.tokens = found
        self.make_call = make_call
        self.next = 0
        self.nesting = 0
        self.kind, self.value, self.at = found[0]

    def advance(self) -> None:
        self.next += 1
        self.kind, self.value, self.at = self.tokens[self.next]

    def take(self, kind: str) -> bool:
        """Step over a token of this kind, if it stands here."""
        if self.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str, why: str) -> None:
        if not self.take(kind):
            raise self.unexpected(why)

    def unexpected(self, why: str) -> CompileError:
        if self.kind == "end":
            return compile_error(self.source, self.at, f"the expression ends too early: {why}")
        shown = self.source[self.at : self.tokens[self.next + 1][2]].strip()
        hint = WORDS_OF_OTHER_LANGUAGES.get(shown, "")
        return compile_error(self.source, self.at, f"`{shown[:32]}` stands where {why}", hint)

    def expression(self) -> Node:
        """`Expr = ConditionalOr ["?" ConditionalOr ":" Expr]`."""
        self.nesting += 1
        if self.nesting > NESTING:
            raise compile_error(self.source, self.at, f"the expression is nested more than {NESTING} levels deep")
        node = self.disjunction()
        if self.kind == "?":
            at = self.at
            self.advance()
            then = self.disjunction()
            self.expect(":", "`:` and the other value of `?` belong")
            node = Ternary(at, node, then, self.expression())
        self.nesting -= 1
        return node

    def disjunction(self) -> Node:
        """`ConditionalOr = [ConditionalOr "||"] ConditionalAnd`, the chain in one node."""
        at, first = self.at, self.conjunction()
        if self.kind != "||":
            return first
        operands = [first]
        while self.take("||"):
            operands.append(self.conjunction())
        return Logic(at, "||", tuple(operands))

    def conjunction(self) -> Node:
        """`ConditionalAnd = [ConditionalAnd "&&"] Relation`, the chain in one node."""
        at, first = self.at, self.binary(RELATION)
        if self.kind != "&&":
            return first
        operands = [first]
        while self.take("&&"):
            operands.append(self.binary(RELATION))
        return Logic(at, "&&", tuple(operands))

    def binary(self, level: int) -> Node:
        """`Relation`, `Addition` and `Multiplication`, which differ in the operators that they bind."""
        left = self.unary()
        while (bound := PRECEDENCE.get(self.kind, 0)) >= level:
            operator, at = self.kind, self.at
            self.advance()
            right = self.binary(bound + 1)
            left = Binary(at, operator, left, right)
        return left

    def unary(self) -> Node:
        """`Unary = Member | "!" {"!"} Member | "-" {"-"} Member`."""
        if self.kind not in ("!", "-"):
            return self.member(self.primary())
        operator, at, count = self.kind, self.at, 0
        while self.kind == operator and not self.signs_number():
            count += 1
            self.advance()
        node = self.member(self.primary())
        for _ in range(count):
            node = Unary(at, operator, node)
        return node

    def signs_number(self) -> bool:
        """Whether the `-` here is the sign of a number literal, which it is part of."""
        if self.kind != "-":
            return False
        kind, value, _ = self.tokens[self.next + 1]
        return kind == "literal" and type(value) in (int, float)

    def member(self, node: Node) -> Node:
        """What may follow a value: `.field`, `.method(…)`, `[key]`, and the optional forms of them."""
        while True:
            at = self.at
            if self.take("."):
                node = self.selection(node)
            elif self.take("["):
                optional = self.take("?")
                node = Index(at, node, self.expression(), optional)
                self.expect("]", "`]` belongs")
            elif self.kind == "{" and dotted(node):
                node = self.record(node)
            else:
                return node

    def selection(self, operand: Node) -> Node:
        optional = self.take("?")
        name_at, kind, field = self.at, self.kind, self.value
        if kind not in ("name", "quoted") or not isinstance(field, str):
            raise self.unexpected("a field name belongs")
        self.advance()
        if kind == "quoted" or optional or self.kind != "(":
            return Select(name_at, operand, field, optional)
        return self.call(name_at, operand, field)

    def call(self, at: int, target: Node | None, function: str) -> Node:
        self.advance()
        arguments = self.items(")")[0]
        return self.make_call(self.source, Call(at, target, function, arguments))

    def items(self, closing: str, optional_allowed: bool = False) -> tuple[tuple[Node, ...], frozenset[int]]:
        """Expressions up to the closing bracket, and the positions of those written as `?item`."""
        found: list[Node] = []
        optional: list[int] = []
        while self.kind != closing:
            if optional_allowed and self.take("?"):
                optional.append(len(found))
            found.append(self.expression())
            if not self.take(","):
                break
            if self.kind == closing and closing == ")":
                raise self.unexpected("another argument belongs")
        self.expect(closing, f"`,` or `{closing}` belongs")
        return tuple(found), frozenset(optional)

    def primary(self) -> Node:
        """`Primary`: a literal, a name, a bracket."""
        kind, value, at = self.kind, self.value, self.at
        if kind == "literal":
            if type(value) is int and value > INT_MAX:
                raise compile_error(self.source, at, "the number is too large for an int")
            self.advance()
            return Literal(at, value)
        if self.signs_number():
            return self.negative(at)
        if kind in ("name", "."):
            return self.name(at)
        if self.take("("):
            node = self.expression()
            self.expect(")", "`)` belongs")
            return node
        if self.take("["):
            return ListOf(at, *self.items("]", True))
        if self.take("{"):
            return self.map(at)
        raise self.unexpected("a value belongs")

    def negative(self, at: int) -> Node:
        """A number with its sign: one literal, so that the smallest int can be written."""
        self.advance()
        number = self.value
        self.advance()
        return Literal(at, -number if isinstance(number, int | float) else number)

    def name(self, at: int) -> Node:
        """A name, or a call of a function; a dot before it passes by the variables of loops."""
        rooted = self.take(".")
        name = self.value
        if name in RESERVED and self.kind == "name":
            raise compile_error(self.source, self.at, f"`{name}` is a reserved word")
        if not self.take("name") or not isinstance(name, str):
            raise self.unexpected("a name belongs")
        if self.kind == "(":
            return self.call(at, None, name)
        return Name(at, name, rooted)

    def map(self, at: int) -> Node:
        """`{key: value, ?key: value}`."""
        entries: list[tuple[Node, Node]] = []
        optional: list[int] = []
        while self.kind != "}":
            if self.take("?"):
                optional.append(len(entries))
            key = self.expression()
            self.expect(":", "`:` and a value belong")
            entries.append((key, self.expression()))
            if not self.take(","):
                break
        self.expect("}", "`,` or `}` belongs")
        return MapOf(at, tuple(entries), frozenset(optional))

    def record(self, name: Node) -> Node:
        """`Name{field: value}`; the name has been read."""
        fields: list[tuple[str, Node]] = []
        self.advance()
        while self.kind != "}":
            self.take("?")
            field = self.value
            if self.kind not in ("name", "quoted") or not isinstance(field, str):
                raise self.unexpected("a field name belongs")
            self.advance()
            self.expect(":", "`:` and a value belong")
            fields.append((field, self.expression()))
            if not self.take(","):
                break
        self.expect("}", "`,` or `}` belongs")
        return Record(name.at, dotted(name) or "", tuple(fields))


def dotted(node: Node) -> str | None:
    """`a.b.c` where the node is a name or a selection from names, else None."""
    fields: list[str] = []
    while isinstance(node, Select) and not node.optional:
        fields.append(node.field)
        node = node.operand
    if not isinstance(node, Name):
        return None
    return ".".join((node.name, *reversed(fields)))
