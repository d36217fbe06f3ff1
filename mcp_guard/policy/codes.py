"""Every code that a finding about a policy can have, with what it means in a line. docs/policy.md shows the same.

Codes are a contract: people silence them, search for them and ask `mcp-guard explain CODE` about them.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Needs = Literal["nothing", "catalog helps", "catalog", "engine"]


class Code(msgspec.Struct, frozen=True):
    """What a warning means, and what it takes to find it beside the policy."""

    means: str
    needs: Needs = "nothing"


WARNINGS: Mapping[str, Code] = {
    "allow-above-deny": Code(
        "a rule that denies is below one that allows the same: it denies nothing", "catalog helps"
    ),
    "always-true": Code("a condition that is true for every call that comes to it", "catalog helps"),
    "cross-check": Code("another parser reads a condition otherwise than we do", "engine"),
    "loose-end": Code("a text is let pass for how it begins or ends, and the rest of it may lead elsewhere"),
    "missing-argument": Code("a condition reads an argument that tools do not have", "catalog"),
    "never-true": Code("a condition that is true for no call that comes to it", "catalog helps"),
    "no-rules": Code("no rule is active: every tool is denied"),
    "no-such-server": Code("a rule for a server that neither the policy nor the catalog knows", "catalog"),
    "no-such-tool": Code("a name or pattern that fits no tool of its servers", "catalog"),
    "optional-argument": Code("a rule denies every call that leaves out an optional argument", "catalog"),
    "shadowed": Code("a part of a rule's scope that a rule above decides"),
    "star-in-host": Code("a `*` in the host of a web address: it stands for slashes too, so any host fits"),
    "truth-word": Code("an unquoted `yes`, `no`, `on` or `off`, which is text here"),
    "type-mismatch": Code("an argument is compared with what it never is, by its tool's schema", "catalog"),
    "uneven-uri": Code("a URI that is not in its normal form, in which it must fit as well"),
    "unknown-agent": Code("a rule for an agent that is not among the declared ones"),
    "unknown-choice": Code("an argument is compared with a value that its tool's schema does not have", "catalog"),
    "unknown-code": Code("a comment silences a code that there is not"),
    "unknown-server": Code("a rule for a server that is not among the declared ones"),
    "unknown-tag": Code("a rule for a tag that nothing declared has: it matches nothing"),
    "unreachable": Code("a rule below others that decide all that it is for", "catalog helps"),
    "unused-ignore": Code("a comment silences what is not there"),
}
