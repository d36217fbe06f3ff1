"""What a switch carries lines for: one gate, or a hub of many, behind one surface in which outputs have an address.

No I/O here; time comes in as microseconds since the epoch. The address of an output is the slug of the upstream that a
`Forward` or `Admitted` goes to; with a `Reply`, `Denied` or `Record` it names whose it is, and everything that has a
line goes to the one client.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from mcp_guard.gate import Admitted, Denied, Output, Refusal, Unwritten
from mcp_guard.gate.messages import RequestId
from mcp_guard.policy import Policy

Addressed: TypeAlias = tuple[str, Output]


class Conversation(Protocol):
    """One client and its upstreams, as a machine without I/O. The gate's own surface (`gate.Gate`), with addresses."""

    @property
    def holding(self) -> bool:
        """Whether anything of the client's waits for something of the guard's own (a listing, a handshake)."""
        ...

    @property
    def late(self) -> Sequence[str]:
        """The upstreams that the client has to do without for now, because they do not answer."""
        ...

    def start(self, now: int) -> list[Addressed]:
        """The connection opens."""
        ...

    def from_client(self, line: bytes, now: int) -> list[Addressed]:
        """One line of the client's."""
        ...

    def from_upstream(self, slug: str, line: bytes, now: int) -> list[Addressed]:
        """One line of an upstream's."""
        ...

    def client_oversized(self, size: int, limit: int, now: int) -> list[Addressed]:
        """A line of the client's was longer than the limit (bytes) and has been thrown away."""
        ...

    def upstream_oversized(self, slug: str, size: int, limit: int, now: int) -> list[Addressed]:
        """A line of an upstream's was longer than the limit (bytes) and has been thrown away."""
        ...

    def refuse(self, slug: str, admitted: Unwritten, refusal: Refusal) -> Denied:
        """The row of an admitted call could not be written (`refusal` says why): it is denied."""
        ...

    def again(self, slug: str, admitted: Admitted, now: int) -> list[Addressed]:
        """The registry was changed before the row of an admitted call could be written, and that change has been taken
        in (`registry_changed`): the call is judged again.
        """
        ...

    def upstream_started(self, slug: str, now: int) -> list[Addressed]:
        """An upstream runs: for the first time, or again after `upstream_exited`."""
        ...

    def upstream_exited(self, slug: str, how: str, now: int) -> list[Addressed]:
        """An upstream is gone (`how` follows "the server …"), or could not be started: what it owed is answered."""
        ...

    def replace_policy(self, policy: Policy, now: int) -> list[Addressed]:
        """Another policy is in force from the next call on."""
        ...

    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Addressed]:
        """A new policy could not be taken; the old one stays in force."""
        ...

    def registry_changed(self, now: int) -> list[Addressed]:
        """What is kept of agents has changed: from the next call on the new holds."""
        ...

    def client_leaves(self, why: str) -> None:
        """The connection ends, and that is why upstreams end from now on. `client_closed` comes when they have."""
        ...

    def client_closed(self, why: str, now: int) -> list[Addressed]:
        """The client is gone; nothing more will be answered."""
        ...

    def tick(self, now: int) -> list[Addressed]:
        """About a second has passed."""
        ...


@runtime_checkable
class Renaming(Protocol):
    """A conversation in which an upstream may know the client's requests under other ids than the client does."""

    def asked_under(self, slug: str, request_id: RequestId) -> RequestId:
        """The id under which the client waits for what an upstream knows as `request_id`."""
        ...


class Guarding(Protocol):
    """A gate, bridged or not: what guards one client against one upstream. See `gate.Gate` for what each does."""

    @property
    def holding(self) -> bool: ...  # noqa: D102
    def start(self, now: int) -> list[Output]: ...  # noqa: D102
    def from_client(self, line: bytes, now: int) -> list[Output]: ...  # noqa: D102
    def from_upstream(self, line: bytes, now: int) -> list[Output]: ...  # noqa: D102
    def client_oversized(self, size: int, limit: int, now: int) -> list[Output]: ...  # noqa: D102
    def upstream_oversized(self, size: int, limit: int, now: int) -> list[Output]: ...  # noqa: D102
    def refuse(self, admitted: Unwritten, refusal: Refusal) -> Denied: ...  # noqa: D102
    def again(self, admitted: Admitted, now: int) -> list[Output]: ...  # noqa: D102
    def asked_under(self, request_id: RequestId) -> RequestId: ...  # noqa: D102
    def upstream_exited(self, how: str, now: int) -> list[Output]: ...  # noqa: D102
    def replace_policy(self, policy: Policy, now: int) -> list[Output]: ...  # noqa: D102
    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Output]: ...  # noqa: D102
    def registry_changed(self, now: int) -> list[Output]: ...  # noqa: D102
    def client_closed(self, why: str, now: int) -> list[Output]: ...  # noqa: D102
    def tick(self, now: int) -> list[Output]: ...  # noqa: D102


class Single:
    """A conversation with one upstream: a gate whose outputs all have the same address."""

    def __init__(self, slug: str, gate: Guarding) -> None:
        self.slug = slug
        self._gate = gate

    def _addressed(self, outputs: list[Output]) -> list[Addressed]:
        slug = self.slug
        return [(slug, output) for output in outputs]

    @property
    def holding(self) -> bool:
        """As `Conversation.holding`; so are all the others."""
        return self._gate.holding

    @property
    def late(self) -> Sequence[str]:
        """Nobody can do without the only upstream."""
        return ()

    def start(self, now: int) -> list[Addressed]:
        """The connection opens."""
        return self._addressed(self._gate.start(now))

    def from_client(self, line: bytes, now: int) -> list[Addressed]:
        """One line of the client's."""
        return self._addressed(self._gate.from_client(line, now))

    def from_upstream(self, slug: str, line: bytes, now: int) -> list[Addressed]:
        """One line of the upstream's."""
        return self._addressed(self._gate.from_upstream(line, now))

    def client_oversized(self, size: int, limit: int, now: int) -> list[Addressed]:
        """A line of the client's was too long."""
        return self._addressed(self._gate.client_oversized(size, limit, now))

    def upstream_oversized(self, slug: str, size: int, limit: int, now: int) -> list[Addressed]:
        """A line of the upstream's was too long."""
        return self._addressed(self._gate.upstream_oversized(size, limit, now))

    def refuse(self, slug: str, admitted: Unwritten, refusal: Refusal) -> Denied:
        """The row of an admitted call could not be written."""
        return self._gate.refuse(admitted, refusal)

    def again(self, slug: str, admitted: Admitted, now: int) -> list[Addressed]:
        """The registry was changed before the row of an admitted call could be written."""
        return self._addressed(self._gate.again(admitted, now))

    def asked_under(self, slug: str, request_id: RequestId) -> RequestId:
        """The id under which the client waits for the answer."""
        return self._gate.asked_under(request_id)

    def upstream_started(self, slug: str, now: int) -> list[Addressed]:
        """Nothing to do: the client itself opens the conversation."""
        return []

    def upstream_exited(self, slug: str, how: str, now: int) -> list[Addressed]:
        """The upstream is gone."""
        return self._addressed(self._gate.upstream_exited(how, now))

    def replace_policy(self, policy: Policy, now: int) -> list[Addressed]:
        """Another policy is in force."""
        return self._addressed(self._gate.replace_policy(policy, now))

    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Addressed]:
        """A new policy could not be taken."""
        return self._addressed(self._gate.policy_rejected(files, errors, now))

    def registry_changed(self, now: int) -> list[Addressed]:
        """What is kept of agents has changed."""
        return self._addressed(self._gate.registry_changed(now))

    def client_leaves(self, why: str) -> None:
        """Nothing to do: the gate outlives its upstream, and hears of it from `client_closed`."""

    def client_closed(self, why: str, now: int) -> list[Addressed]:
        """The client is gone."""
        return self._addressed(self._gate.client_closed(why, now))

    def tick(self, now: int) -> list[Addressed]:
        """About a second has passed."""
        return self._addressed(self._gate.tick(now))
