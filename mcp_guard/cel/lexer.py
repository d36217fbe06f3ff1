"""Source text to tokens, by the lexical grammar of the CEL specification ("Syntax", "Values").

A token is `(kind, value, at)`: kinds are `name`, `quoted` (a field in backticks), `literal` (`value` is the constant, a
number without its sign), `end`, and each operator as its own kind. Nothing here knows what may follow what.
"""

from mcp_guard.cel.errors import CompileError, compile_error
from mcp_guard.cel.limits import SOURCE_LENGTH
from mcp_guard.cel.literals import DIGITS, LETTERS, WORD, number, quoted
from mcp_guard.cel.syntax import Scalar

Token = tuple[str, Scalar, int]

BLANKS = frozenset(" \t\n\r\f")
QUOTES = frozenset("\"'")
PREFIXES = frozenset("rRbB")
LONG_OPERATORS = frozenset(("==", "!=", "<=", ">=", "&&", "||"))
OPERATORS = frozenset("()[]{}.,?:+-*/%!<>")
IN_BACKTICKS = WORD | frozenset("./- ")
WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}

RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
"""Words that cannot be names of variables, but of fields."""

INSTEAD = {
    "=": "compare with `==`",
    "&": "write `&&`",
    "|": "write `||`",
    "“": 'write a straight `"`',
    "”": 'write a straight `"`',
    "‘": "write a straight `'`",
    "’": "write a straight `'`",
    ";": "a condition is one expression",
}


def tokens(source: str) -> list[Token]:
    """All tokens of a source, the last of kind `end`. Raises `CompileError`."""
    if len(source) > SOURCE_LENGTH:
        raise compile_error(source, 0, f"the expression is longer than {SOURCE_LENGTH} characters")
    found: list[Token] = []
    at, length = 0, len(source)
    while at < length:
        char = source[at]
        if char in BLANKS:
            at += 1
        elif char in LETTERS and not _is_prefix(source, at):
            at = _word(source, at, found)
        elif char in DIGITS or (char == "." and source[at + 1 : at + 2] in DIGITS):
            at = _literal(number(source, at), at, found)
        elif char in QUOTES or char in PREFIXES:
            at = _literal(quoted(source, at), at, found)
        elif source.startswith("//", at):
            newline = source.find("\n", at)
            at = length if newline < 0 else newline
        elif char == "`":
            at = _backticks(source, at, found)
        else:
            at = _operator(source, at, found)
    found.append(("end", None, length))
    return found


def _is_prefix(source: str, at: int) -> bool:
    """Whether the letters here are the `r`, `b`, `rb`, `br` of a string rather than the start of a name."""
    if source[at] not in PREFIXES:
        return False
    after = source[at + 1 : at + 3]
    if after[:1] in QUOTES and after:
        return True
    pair = (source[at] + after[:1]).lower()
    return pair in ("rb", "br") and len(after) == 2 and after[1] in QUOTES


def _word(source: str, at: int, found: list[Token]) -> int:
    end, length = at + 1, len(source)
    while end < length and source[end] in WORD:
        end += 1
    word = source[at:end]
    if word in WORDS:
        found.append(("literal", WORDS[word], at))
    else:
        found.append(("in" if word == "in" else "name", word, at))
    return end


def _literal(read: tuple[Scalar, int], at: int, found: list[Token]) -> int:
    value, end = read
    found.append(("literal", value, at))
    return end


def _backticks(source: str, at: int, found: list[Token]) -> int:
    end = source.find("`", at + 1)
    name = source[at + 1 : end]
    if end < 0 or not name or not IN_BACKTICKS.issuperset(name):
        raise compile_error(source, at, "a name in backticks holds letters, digits, `_`, `.`, `-`, `/` and spaces")
    found.append(("quoted", name, at))
    return end + 1


def _operator(source: str, at: int, found: list[Token]) -> int:
    long = source[at : at + 2]
    if long in LONG_OPERATORS:
        found.append((long, None, at))
        return at + 2
    char = source[at]
    if char not in OPERATORS:
        raise _unexpected(source, at)
    found.append((char, None, at))
    return at + 1


def _unexpected(source: str, at: int) -> CompileError:
    char = source[at]
    shown = f"`{char}`" if char.isprintable() else f"the character U+{ord(char):04X}"
    return compile_error(source, at, f"{shown} has no meaning here", INSTEAD.get(char, ""))
