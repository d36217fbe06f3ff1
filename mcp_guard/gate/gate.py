"""The gate: JSON-RPC messages of both sides in, what is to be done about them out. No I/O, no clock.

A transport frames lines and gives them to `from_client` and `from_upstream`; what comes back it carries out in order
(see `outputs`). Time comes in as microseconds since the epoch. The invariant: no call leaves here but as an `Admitted`,
and only `calls.judge` makes one; so it is with prompts and resources that the policy has a say in, which `offers` and
`subscriptions` judge.
"""

from typing import Literal

from mcp_guard import __version__
from mcp_guard.gate import answers, calls, from_client, from_upstream, listing
from mcp_guard.gate.approvals import settling
from mcp_guard.gate.connection import Connection
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_REQUEST
from mcp_guard.gate.outputs import Admitted, Denied, End, Output, Pending, Record, Refusal, Reply, Unwritten
from mcp_guard.gate.requests import PASSED, Open
from mcp_guard.gate.session import Session, answered, replies
from mcp_guard.gate.wire import UnreadableError
from mcp_guard.governance import Registry
from mcp_guard.policy import Policy
from mcp_guard.policy.values import Json, OfferKind


class Gate:
    """One guarded connection between a client and an upstream."""

    def __init__(self, connection: Connection, policy: Policy, registry: Registry | None = None) -> None:
        self._session = Session(connection, policy, registry)

    def start(self, now: int) -> list[Output]:
        """The connection opens under the policy in force."""
        return [self._policy_loaded(now)]

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """One line of the client's, without its line end."""
        try:
            outputs = from_client.receive(self._session, line, now)
            if self._session.approvals.waiting:  # whose time passes also where the client never stops talking
                outputs += settling.tick(self._session, now)
            return outputs
        except Exception as error:  # a mistake of ours must neither let a call past nor end the session
            failure = _failure(error)
            reply = Reply(answers.error(None, INTERNAL_ERROR, f"mcp-guard: {failure}"))
            return [reply, *self._session.rejected("client", failure, len(line), now)]

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """One line of the upstream's, without its line end."""
        try:
            return from_upstream.receive(self._session, line, now)
        except Exception as error:  # as above; what could not be read is not passed on
            reason = str(error) if isinstance(error, UnreadableError) else _failure(error)
            return self._session.rejected("upstream", reason, len(line), now)

    def refuse(self, admitted: Unwritten, refusal: Refusal) -> Denied:
        """The row of an admitted call, or of the question that it waits for, was not written: it is denied."""
        if isinstance(admitted, Pending):
            return settling.refuse(self._session, admitted, refusal)
        from mcp_guard.gate import again  # which is seldom needed, and start-up counts

        return again.refuse(self._session, admitted, refusal)

    def again(self, admitted: Admitted, now: int) -> list[Output]:
        """The row of an admitted call was not written, because the registry was changed after the call was judged. That
        change has been taken in by now (`registry_changed`): judge the call again.
        """
        from mcp_guard.gate import again

        return again.judge(self._session, admitted, now)

    def client_oversized(self, size: int, limit: int, now: int) -> list[Output]:
        """A line of the client's was longer than the limit (bytes) and has been thrown away."""
        reason = f"the message is larger than the limit of {limit} bytes"
        line = answers.error(None, INVALID_REQUEST, reason)
        return [Reply(line), *self._session.rejected("client", reason, size, now)]

    def upstream_oversized(self, size: int, limit: int, now: int) -> list[Output]:
        """A line of the upstream's was longer than the limit (bytes) and has been thrown away."""
        reason = f"the message is larger than the limit of {limit} bytes"
        return self._session.rejected("upstream", reason, size, now)

    def reject(self, sender: Literal["client", "upstream"], reason: str, size: int, now: int) -> list[Output]:
        """A message of `size` bytes goes no further, because of something that the gate itself does not see: a bridge
        before or behind it could not carry it. `reason` quotes none of it.
        """
        return self._session.rejected(sender, reason, size, now)

    def tick(self, now: int) -> list[Output]:
        """Time has passed: give up a listing that is overdue or begin one that was put off, and give up approvals that
        nobody gave. To be called about once a second.
        """
        session = self._session
        outputs = listing.expire(session, now)
        released = outputs + calls.release(session, now) if outputs else listing.again(session, now)
        return released + settling.tick(session, now) if session.approvals else released

    def may_go_ahead(self, start: bytes) -> bool:
        """Whether the start of a long line may be passed before its end is here: it looks like a message, and every
        answer that is waited for will be passed as it comes.
        """
        waiting = self._session.open.values()
        return start.lstrip()[:1] == b"{" and all(entry.kind in PASSED and not entry.batch for entry in waiting)

    @property
    def holding(self) -> bool:
        """Whether calls wait for the guard's own listing."""
        return any(entry.held is not None for entry in self._session.open.values())

    def replace_policy(self, policy: Policy, now: int) -> list[Output]:
        """A new policy is in force from the next call on: record it, and tell the client that its lists changed."""
        session = self._session
        kinds = _governed(session)
        session.replace_policy(policy)
        changed = [] if session.observing else self._lists_changed({"tool", *kinds, *_governed(session)})
        return [self._policy_loaded(now), *changed, *self.approvals_changed(now)]

    def registry_changed(self, now: int) -> list[Output]:
        """What is kept of agents has changed, or some of it has expired: from the next call on the new holds, and the
        client is told that its lists changed, where this client's did.
        """
        shown = self.tell_lists_changed() if self.stands_otherwise() else []
        return self.ordered_to_end() + shown + self.approvals_changed(now)

    def approvals_changed(self, now: int) -> list[Output]:
        """What becomes of the calls that wait for a person, now that somebody may have decided, or things changed."""
        return settling.reconsider(self._session, now) if self._session.approvals else []

    def is_settled(self, state: Json, now: int) -> bool:
        """Whether the question of the guard's own that was asked with this `requestState` needs no answer any more: the
        call comes back without, and is decided.
        """
        return settling.is_over(self._session, state, now)

    def ordered_to_end(self) -> list[Output]:
        """Whether somebody has ordered that this connection ends, as far as is known (`stands_otherwise` asks)."""
        why = self._session.ended
        return [] if why is None else [End(f"this connection was ended from outside: {why}")]

    def stands_otherwise(self) -> bool:
        """Ask anew how the agent stands. Gives whether the client is shown something else now than it may have seen."""
        return self._session.stands_otherwise() and not self._session.observing

    @property
    def shown_under(self) -> object:
        """What of the agent's standing bears on what it was last told that it is shown: as long as this stays, so do
        the lists.
        """
        return self._session.shown_under

    def tell_lists_changed(self) -> list[Output]:
        """The notices that every governed list has changed, for whom they concern."""
        return self._lists_changed({"tool", *_governed(self._session)})

    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Output]:
        """A new policy could not be taken; the old one stays in force."""
        return [Record(self._session.recorder.event("policy.rejected", now, {"files": files, "errors": errors}))]

    def client_closed(self, why: str, now: int) -> list[Output]:
        """The client is gone; nothing more will be answered."""
        session = self._session
        event = session.recorder.event("agent.disconnected", now, {"why": why})
        left = [*settling.withdraw_all(session, now), *session.rejections_left(now)]
        return [*left, *listing.connected(session, now), Record(event)]

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """The upstream is gone (`how`: "exited with status 3"): every open request is answered with an error."""
        session = self._session
        outputs = listing.connected(session, now)  # first: what ends has begun
        outputs.append(Record(session.recorder.event("upstream.exited", now, {"how": how})))
        outputs += settling.withdraw_all(session, now)
        for request_id in list(session.open):
            entry = session.close(request_id)
            if entry is not None and entry.kind != "own_list" and not entry.cancelled:
                outputs += self._lost(entry, how)
        return outputs

    def _lost(self, entry: Open, how: str) -> list[Output]:
        line = answers.error(entry.id, INTERNAL_ERROR, f"the MCP server behind mcp-guard {how}")
        return replies(answered(entry.id, entry.batch, line))

    def _policy_loaded(self, now: int) -> Record:
        policy = self._session.policy
        data = {"files": policy.files, "rules": len(policy.rules), "version": __version__}
        return Record(self._session.recorder.event("policy.loaded", now, data))

    def _lists_changed(self, kinds: set[OfferKind]) -> list[Output]:
        """The notifications in the era of the client: to the session, or to each subscription that asked for them."""
        session = self._session
        if session.initialized:
            return [Reply(answers.list_changed(kind)) for kind in answers.LISTS if kind in kinds & session.announces]
        return [
            Reply(answers.list_changed(kind, entry.id))
            for entry in session.open.values()
            for kind in answers.LISTS
            if kind in kinds & entry.wants
        ]


def _governed(session: Session) -> list[OfferKind]:
    return [kind for kind in answers.LISTS if session.governs(kind)]


def _failure(error: Exception) -> str:
    """A mistake of the guard's own, named without any of the data that it met."""
    return f"internal error ({type(error).__name__})"
