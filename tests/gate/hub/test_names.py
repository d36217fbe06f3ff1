"""Names of several servers, told apart by prefixes that cannot be taken for each other's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate.hub.naming import Naming, fault

FAULTS = [
    ("the usual prefix", ["github", "files"], "{server}__", ""),
    ("a server whose name goes on behind another's prefix", ["a", "a__b"], "{server}__", "could be taken for"),
    ("no delimiter", ["a", "ab"], "{server}", "could be taken for"),
    ("no delimiter, and names that need none", ["ab", "ba"], "{server}", ""),
    ("the name in the middle", ["a", "b"], "x.{server}.", ""),
    ("the same prefix for all", ["a", "b"], "x_", "the prefix needs `{server}`"),
    ("a prefix that would not show", ["a", "b"], "{server}\u200b", "letters, digits"),
    ("a space", ["a", "b"], "{server} ", "letters, digits"),
    ("no prefix", ["a", "b"], "", ""),
    ("one server, whatever the prefix", ["a"], "x_", ""),
    ("upper case, which some clients fold", ["A", "a"], "{server}__", "is no server name"),
    ("an empty name", [""], "{server}__", "is no server name"),
    ("a letter that only looks like one", ["gіthub"], "{server}__", "is no server name"),
    ("the same name twice", ["a", "a"], "{server}__", "two servers have the same name"),
]


@pytest.mark.parametrize(("slugs", "pattern", "wrong"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_prefixes_that_leave_a_doubt_are_refused(slugs: list[str], pattern: str, wrong: str) -> None:
    found = fault(slugs, pattern)
    assert (wrong in found) if wrong and found else (found or "") == wrong
    if found:
        with pytest.raises(ValueError, match=r".+"):
            Naming(slugs, pattern)


slug = st.from_regex(r"[a-c_-]{1,5}", fullmatch=True).map(lambda text: f"x{text}y")


@given(st.lists(slug, min_size=2, max_size=6, unique=True), st.sampled_from(["{server}__", "{server}.", "-{server}"]))
def test_a_name_leads_back_to_the_server_that_it_came_from_and_to_what_that_calls_it(
    slugs: list[str], pattern: str
) -> None:
    if fault(slugs, pattern) is not None:
        return
    naming = Naming(slugs, pattern)
    names = ["t", "", "__", "y__t", *(f"{one}__t" for one in slugs)]
    outward = {naming.outward(one, name): (one, name) for one in slugs for name in names}
    assert len(outward) == len(slugs) * len(set(names))
    assert all(naming.inward(name) == owner for name, owner in outward.items())


@given(st.lists(slug, min_size=2, max_size=6, unique=True), st.text(max_size=12))
def test_a_name_that_no_prefix_begins_belongs_to_nobody(slugs: list[str], name: str) -> None:
    if fault(slugs, "{server}__") is None and not any(name.startswith(f"{one}__") for one in slugs):
        assert Naming(slugs).inward(name) is None
