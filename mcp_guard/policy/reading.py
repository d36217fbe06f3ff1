"""Bytes of a policy file to a tree: encoding, size, and which of the two readers it is for."""

from collections.abc import Sequence

from mcp_guard.policy.diagnostics import Diagnostic, Place, Source
from mcp_guard.policy.report import Report
from mcp_guard.policy.tree import MAX_BYTES, Text, Tree, UnreadableError
from mcp_guard.policy.yaml_reader import read_yaml

BYTE_ORDER_MARK = "\ufeff"


def read_all(sources: Sequence[Source], report: Report) -> list[Tree]:
    """The trees of the files that can be read; what keeps the others from it is reported."""
    trees: list[Tree] = []
    for source in sources:
        try:
            trees.append(read(source))
        except UnreadableError as error:
            report.found.append(error.diagnostic)
    return trees


def read(source: Source) -> Tree:
    """The tree of a policy file, YAML or JSON (by its name's ending). Raises `UnreadableError`."""
    text = Text(source.path, _decode(source))
    if not source.path.lower().endswith(".json"):
        return read_yaml(text)
    from mcp_guard.policy.json_reader import read_json

    return read_json(text)


def _decode(source: Source) -> str:
    if len(source.text) > MAX_BYTES:
        hint = "split it: `--policy` may be given several times"
        raise _whole_file(source, "too-large", f"more than {MAX_BYTES >> 20} MiB", hint)
    try:
        return source.text.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        before = source.text[: error.start].decode("utf-8", "replace")
        line_start = max(before.rfind("\n"), before.rfind("\r")) + 1
        place = Place(source.path, before.count("\n") + 1, len(before) - line_start + 1)
        finding = Diagnostic("error", "encoding", "not UTF-8", place, "save the file as UTF-8")
        raise UnreadableError(finding) from None


def _whole_file(source: Source, code: str, message: str, hint: str) -> UnreadableError:
    return UnreadableError(Diagnostic("error", code, message, Place(source.path, 1, 1), hint))
