"""Which server a name, a URI or a task belongs to. The only place that decides it.

Names with a prefix belong to the server of that prefix, listed or not. Without prefixes, and for URIs, which never have
one, it is the lists that tell: the first server in the configured order that lists it, else one whose template fits.
"""

from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk
from mcp_guard.policy.values import Json

URI_LISTS = ["resources/list", "resources/templates/list"]


def alone(desk: Desk) -> Arm | None:
    """The only server, where there is only one."""
    return next(iter(desk.arms.values())) if len(desk.arms) == 1 else None


def with_task(desk: Desk, task: Json) -> Arm | None:
    """The only server, or the one that has made a task of this id known."""
    slug = desk.tasks.get(task)
    return alone(desk) or (None if slug is None else desk.arms[slug])


def named(desk: Desk, method: str, name: str) -> tuple[Arm, str] | None:
    """The server that a tool or prompt belongs to (`method`: the one that lists it), and its own name for it."""
    if (arm := alone(desk)) is not None:
        return arm, name
    if desk.naming.prefixed:
        found = desk.naming.inward(name)
        return None if found is None else (desk.arms[found[0]], found[1])
    owner = listed(desk, method, name)
    return None if owner is None else (owner, name)


def listed(desk: Desk, method: str, key: str) -> Arm | None:
    """The first server that lists this."""
    return next((arm for arm in desk.arms.values() if key in arm.shelves[method].entries), None)


def located(desk: Desk, uri: str) -> Arm | None:
    """The server that a URI belongs to, as far as the lists tell."""
    if (arm := alone(desk) or listed(desk, "resources/list", uri)) is not None:
        return arm
    fitting = [
        (not template.names_scheme, position)
        for position, arm in enumerate(desk.arms.values())
        for template in arm.shelves["resources/templates/list"].templates
        if template.could_make(uri)
    ]
    if fitting:
        return list(desk.arms.values())[min(fitting)[1]]
    offering = [arm for arm in desk.arms.values() if arm.has("resources")]
    return offering[0] if len(offering) == 1 else None
