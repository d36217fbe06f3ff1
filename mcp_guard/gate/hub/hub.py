"""The hub: many guarded servers as one, between one client and as many gates as there are servers. No I/O, no clock.

The surface is that of a gate, with addresses: each output comes with the slug of the server that it goes to (a
`Forward`, an `Admitted`) or that it is about; an empty slug is the hub itself. All that has a line and does not go to a
server goes to the client. The invariant: a call goes to the server whose name it carries and to no other, judged there
under that server's slug and its own name for the tool.
"""

from collections.abc import Callable, Sequence

from mcp_guard.gate import answers
from mcp_guard.gate.connection import Connection
from mcp_guard.gate.hub import announcing, from_arm, from_client, hello, listen, lists, messages, polls, waiting
from mcp_guard.gate.hub.arm import Arm, Guarded, Member, OpenGate
from mcp_guard.gate.hub.desk import Addressed, Desk
from mcp_guard.gate.hub.kinds import CHANGES
from mcp_guard.gate.hub.naming import DEFAULT_PREFIX, Naming
from mcp_guard.gate.hub.patience import Patience, Tardy
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_REQUEST, RequestId
from mcp_guard.gate.outputs import Admitted, Denied, Output, Record, Refusal, Reply, Unwritten
from mcp_guard.gate.session import answered
from mcp_guard.policy import Policy

_DEFAULT_PATIENCE = Patience()


class Hub:
    """One client in front of many servers.

    `members` are in order of precedence. `open_gate(slug, prefix, policy)` gives a new gate (bridged where need be)
    for each life of a server, with a connection id of its own. `connection` is the client's with the hub itself; its
    `server` is not used. `tardy` may be shared with other clients' hubs in front of the same servers. Raises ValueError
    where the names of the servers could be taken for each other's (see `naming`).
    """

    def __init__(
        self,
        connection: Connection,
        policy: Policy,
        members: Sequence[Member],
        open_gate: OpenGate,
        *,
        prefix: str = DEFAULT_PREFIX,
        patience: Patience = _DEFAULT_PATIENCE,
        tardy: Tardy | None = None,
    ) -> None:
        naming = Naming([member.slug for member in members], prefix)
        self._desk = Desk(connection, policy, members, open_gate, naming, patience, tardy or Tardy())

    def start(self, now: int) -> list[Addressed]:
        """The connection opens. Servers that are not lazy are expected to be started now."""
        for arm in self._desk.arms.values():
            if not arm.lazy:
                self._desk.open_gate(arm, now)
        return self._settle(now)

    def from_client(self, line: bytes, now: int) -> list[Addressed]:
        """One line of the client's, without its line end."""
        try:
            from_client.receive(self._desk, line, now)
        except Exception as error:  # a mistake of ours must neither let a call past nor end the session
            self._failed(error, len(line), now)
        return self._settle(now)

    def from_upstream(self, slug: str, line: bytes, now: int) -> list[Addressed]:
        """One line of a server's, without its line end."""
        arm = self._desk.arms[slug]
        if arm.gate is not None:
            self._desk.take(arm, arm.gate.from_upstream(line, now))
        return self._settle(now)

    def client_oversized(self, size: int, limit: int, now: int) -> list[Addressed]:
        """A line of the client's was longer than the limit (bytes) and has been thrown away."""
        reason = f"the message is larger than the limit of {limit} bytes"
        self._desk.reply(answers.error(None, INVALID_REQUEST, reason))
        self._desk.rejected("client", reason, size, now)
        return self._settle(now)

    def upstream_oversized(self, slug: str, size: int, limit: int, now: int) -> list[Addressed]:
        """A line of a server's was longer than the limit (bytes) and has been thrown away."""
        arm = self._desk.arms[slug]
        if arm.gate is not None:
            self._desk.take(arm, arm.gate.upstream_oversized(size, limit, now))
        return self._settle(now)

    def refuse(self, slug: str, admitted: Unwritten, refusal: Refusal) -> Denied:
        """The row of an admitted call could not be written (`refusal` says why): it is denied."""
        desk, gate = self._desk, self._desk.arms[slug].gate
        assert gate is not None, "an admitted call has a gate"
        denied = gate.refuse(admitted, refusal)
        head = None if denied.line is None else messages.read(denied.line)
        entry = desk.open.pop(head.id, None) if head is not None and isinstance(head.id, int | str) else None
        line = None if entry is None or denied.line is None else answered(entry.id, entry.batch, denied.line)
        return Denied(denied.event, line)

    def again(self, slug: str, admitted: Admitted, now: int) -> list[Addressed]:
        """The registry was changed before the row of an admitted call could be written: its gate judges it again."""
        desk, arm = self._desk, self._desk.arms[slug]
        assert arm.gate is not None, "an admitted call has a gate"
        desk.take(arm, arm.gate.again(admitted, now))
        return self._settle(now)

    def asked_under(self, slug: str, request_id: RequestId) -> RequestId:
        """The id under which the client waits for what a server knows as the request `request_id`."""
        arm = self._desk.arms[slug]
        rename: Callable[[RequestId], RequestId] | None = getattr(arm.gate, "asked_under", None)
        known = request_id if rename is None else rename(request_id)
        return listen.asked_under(self._desk, arm, known)

    def upstream_started(self, slug: str, now: int) -> list[Addressed]:
        """A server runs: for the first time, or again after `upstream_exited`. It is greeted if the client has been."""
        arm = self._desk.arms[slug]
        if arm.standing in ("down", "refused"):
            arm.standing = "idle"
        self._desk.open_gate(arm, now)
        self._desk.want(arm)
        return self._settle(now)

    def upstream_exited(self, slug: str, how: str, now: int) -> list[Addressed]:
        """A server is gone, or could not be started; `how` follows "the server …". What it owed is answered.

        Requests for it are kept for a moment (`Patience.down`), in case it is started again.
        """
        desk, arm = self._desk, self._desk.arms[slug]
        was_there = arm.standing == "ready"
        arm.failing = not was_there
        gate, arm.gate = arm.gate, None
        if gate is not None:
            ending = [*gate.upstream_exited(how, now), *gate.client_closed(desk.leaving or "the upstream is gone", now)]
            desk.take(arm, [output for output in ending if isinstance(output, Record)])
        arm.standing, arm.how, arm.down_since = "down", how, now
        for entry in [entry for entry in desk.open.values() if entry.slug == slug]:
            desk.fail(entry.id, INTERNAL_ERROR, f"the MCP server `{slug}` behind mcp-guard {how}")
        if arm.failing:
            hello.dismiss(desk, arm, now)
        self._take_back(arm)
        listen.arm_gone(desk, arm)
        lists.arm_gone(desk, arm, now)
        if was_there:
            announcing.arm_changed(desk, arm)
        arm.forget()
        polls.gone(desk, slug, now)
        return self._settle(now)

    def tick(self, now: int) -> list[Addressed]:
        """Time has passed: give up what is overdue. To be called about once a second."""
        desk = self._desk
        for arm in desk.arms.values():
            if arm.gate is not None:
                desk.take(arm, arm.gate.tick(now))
            reason = desk.unreachable(arm, now)
            for held in arm.release(None if reason else now):
                text = reason or _too_late(desk, arm)
                desk.fail(held.request.id, INTERNAL_ERROR, text)
        waiting.expire(desk, now)
        polls.expire(desk, now)
        lists.expire(desk, now)
        listen.expire(desk, now)
        return self._settle(now)

    @property
    def holding(self) -> bool:
        """Whether anything of the client's waits for something of the guard's own."""
        desk = self._desk
        waiting = any(arm.queue or (arm.gate is not None and arm.gate.holding) for arm in desk.arms.values())
        return waiting or any(gather.held is not None for gather in desk.gathers)

    @property
    def late(self) -> list[str]:
        """The servers that the client has to do without for now, because they do not answer."""
        return [arm.slug for arm in self._desk.arms.values() if arm.overdue]

    def replace_policy(self, policy: Policy, now: int) -> list[Addressed]:
        """Another policy is in force from the next call on: every gate's, and the client hears once of each list."""
        self._desk.replace_policy(policy)
        return self._looks_anew(lambda gate: gate.replace_policy(policy, now), now, otherwise=True)

    def registry_changed(self, now: int) -> list[Addressed]:
        """What is kept of agents has changed: every gate looks anew, and the client hears once of each list that is
        another one for it. Most changes are none that concern it: that it has come itself is one of them.
        """
        return self._looks_anew(lambda gate: gate.registry_changed(now), now, otherwise=False)

    def _looks_anew(self, tell: Callable[[Guarded], list[Output]], now: int, *, otherwise: bool) -> list[Addressed]:
        """Tell every gate something by which its lists may be other ones; the client hears once of each that is.
        `otherwise`: they are, whatever the gates say.
        """
        desk = self._desk
        changed: set[str] = set()
        for arm in desk.arms.values():
            if arm.gate is not None:
                before = arm.gate.shown_under
                outputs = tell(arm.gate)
                otherwise = otherwise or arm.gate.shown_under != before
                told = {method for output in outputs if (method := _list_changed(output)) is not None}
                desk.take(arm, [output for output in outputs if _list_changed(output) is None])
                changed |= told
        if otherwise:
            lists.shown_anew(desk, now)
        announcing.changed(desk, sorted(changed))
        return self._settle(now)

    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Addressed]:
        """A new policy could not be taken; the old one stays in force."""
        for arm in self._desk.arms.values():
            if arm.gate is not None:
                self._desk.take(arm, arm.gate.policy_rejected(files, errors, now))
        return self._settle(now)

    def client_leaves(self, why: str) -> None:
        """The connection ends: servers that end from now on do so because of that, and their gates close for `why`."""
        self._desk.leaving = why

    def client_closed(self, why: str, now: int) -> list[Addressed]:
        """The client is gone; nothing more will be answered."""
        for arm in self._desk.arms.values():
            if arm.gate is not None:
                self._desk.take(arm, arm.gate.client_closed(why, now))
        self._desk.tell_rejections_left(now)
        return self._settle(now)

    def _take_back(self, arm: Arm) -> None:
        """The client need not answer what a server asked that is gone."""
        desk = self._desk
        for number in [number for number in desk.questions.gone(arm.slug) if not desk.early.withdraw(number)]:
            params = {"requestId": number, "reason": "the server that asked is gone"}
            desk.reply(messages.notification("notifications/cancelled", params))

    def _failed(self, error: Exception, size: int, now: int) -> None:
        """A mistake of the hub's own, named without any of the data that it met."""
        failure = f"internal error ({type(error).__name__})"
        self._desk.reply(answers.error(None, INTERNAL_ERROR, f"mcp-guard: {failure}"))
        self._desk.rejected("client", failure, size, now)

    def _settle(self, now: int) -> list[Addressed]:
        """Follow up what has come of it, until nothing is left to do; gives all outputs, in order."""
        desk = self._desk
        while desk.inbox or desk.wanted or desk.missed or desk.again:
            try:
                self._follow_up(now)
            except Exception as error:  # a mistake of ours must not end the session of all servers
                desk.rejected("upstream", f"internal error ({type(error).__name__})", 0, now)
        outputs, desk.outbox = desk.outbox, []
        return outputs

    def _follow_up(self, now: int) -> None:
        desk = self._desk
        if desk.inbox:
            arm, output, asked = desk.inbox.popleft()
            from_arm.carry(desk, arm, output, asked, now)
        elif desk.wanted:
            arm = desk.wanted.popleft()
            if arm.standing == "idle":
                hello.greet(desk, arm, now)
        elif desk.missed:
            arm = desk.missed.popleft()
            polls.gone(desk, arm.slug, now)
            lists.go_without(desk, arm, now)
        else:
            from_client.resume(desk, desk.again.popleft(), now)


def _too_late(desk: Desk, arm: Arm) -> str:
    """Why a request was not sent in time to a server that may be there."""
    if arm.standing == "ready" and desk.awaits_client:
        return "mcp-guard waited for notifications/initialized, and the client did not send it"
    return f"the MCP server `{arm.slug}` behind mcp-guard did not get ready in time"


def _list_changed(output: object) -> str | None:
    """The method of a notice that a list has changed."""
    head = messages.read(output.line) if isinstance(output, Reply) else None
    return head.method if head is not None and isinstance(head.method, str) and head.method in CHANGES else None
