"""The state of one bridge to a legacy upstream: what it offers, what is open there, what it was told."""

from collections.abc import Callable

from mcp_guard.gate.bridge import capabilities, members
from mcp_guard.gate.bridge.asking import Asking
from mcp_guard.gate.bridge.bound import Answer, Step
from mcp_guard.gate.bridge.errands import Errands
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.names import Names
from mcp_guard.gate.bridge.subscriptions import Subscriptions
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Forward
from mcp_guard.policy.values import Json

MAX_OWN = 2_048  # requests of the bridge's own that wait for an answer


class Link:
    """A gate and the legacy upstream behind it. `initialized` is the upstream's InitializeResult; `fall_back` ends the
    bridge, because the client turns out to be a legacy one.
    """

    def __init__(
        self, gate: Gate, key: bytes, names: Names, initialized: dict[str, Json], *, fall_back: Callable[[], None]
    ) -> None:
        self.gate, self._names, self.fall_back = gate, names, fall_back
        self.initialized = initialized
        self.discovered = capabilities.discover_result(initialized)
        self.server = members.raw(capabilities.server_of(self.discovered))
        self.offered = capabilities.offered(self.discovered)
        self.errands = Errands(names)
        self.asking = Asking(self.errands, key, self.server)
        self.subscriptions = Subscriptions(self.offered)
        self.level: int | None = None  # the rank of the log level that the upstream was told
        self.after_row: dict[RequestId, list[Step]] = {}  # what may go once the row of that request is written
        self._own: dict[RequestId, Callable[[Members], None]] = {}

    def ask(self, method: str, params: object, answered: Callable[[Members], None] | None = None) -> Forward:
        """A request of the bridge's own, never a call; `answered` hears of the answer."""
        request_id = self._names.next()
        self._own[request_id] = answered or _ignore
        if len(self._own) > MAX_OWN:
            del self._own[next(iter(self._own))]  # it will not be answered any more
        return Forward(members.up(members.message(method, params, request_id)))

    def answered(self, message: Members) -> bool:
        """Whether this is the answer to a request of the bridge's own; whoever waits for it has heard of it then."""
        request_id = members.id_of(message)
        own = None if request_id is None else self._own.pop(request_id, None)
        if own is not None:
            own(message)
        return own is not None

    def follow_up(self, now: int) -> list[Step]:
        """What had to wait until the row of a request was written: to be done in any later turn but a client's."""
        waiting, self.after_row = self.after_row, {}
        return [step for steps in waiting.values() for step in steps] + self.asking.follow_up(now)

    def acknowledge(self, now: int) -> list[Step]:
        """The acknowledgments of subscriptions that can be sent now."""
        return [Answer(line) for line in self.subscriptions.ready(now)]


def _ignore(message: Members) -> None:
    """The answer changes nothing."""
