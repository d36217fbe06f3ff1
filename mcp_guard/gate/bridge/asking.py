"""A legacy upstream's questions, put to a modern client (2026-07-28, "Multi Round-Trip Requests").

The upstream asks with a request while a call runs. The call is answered with `input_required` and a token; the retry
that brings the token back is judged by the gate like any call, and then carries the answer to the upstream's question.
One question at a time: each answer that goes upstream has a judged request of its own to travel in.
"""

from collections.abc import Mapping

from mcp_guard.gate.bridge import members, questions
from mcp_guard.gate.bridge.bound import Answer, Bound, Step
from mcp_guard.gate.bridge.capabilities import SERVER_META
from mcp_guard.gate.bridge.errands import LIFETIME, MAX_QUESTIONS, MAX_SUSPENDED, Errand, Errands, Question
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.results import INTERACTIVE
from mcp_guard.gate.bridge.tokens import Tokens, digest
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, RequestId
from mcp_guard.gate.outputs import Forward
from mcp_guard.policy.values import Json

_NOT_KNOWN = "The requestState is not known, has expired, or belongs to another request."
_NO_ANSWER = "inputResponses holds no answer of the right shape to the question that was asked."
_NO_REQUEST = "mcp-guard: the client can only be asked while a request of its own is open"
_NOT_SUPPORTED = "mcp-guard: the client did not declare support for this"
_DECLINED = "mcp-guard: the server needs something done at a URL, and it was declined"
_TOO_MANY = "mcp-guard: too many questions are open"
_TOO_LATE = "mcp-guard: the client did not answer"
_LEFT_OUT = ("_meta", "elicitationId", "task")  # members of a legacy question's params that a modern one does not have


class Asking:
    """Questions of one upstream's, and the tokens that stand for them. `server` is the upstream's serverInfo."""

    def __init__(self, errands: Errands, key: bytes, server: object) -> None:
        self._errands = errands
        self._tokens = Tokens(key)
        self._server = server
        self._due: list[Errand] = []  # resumed, and there is a further question

    # The upstream asks

    def ask(self, question: Question, now: int) -> list[Step]:
        """The upstream asks the client something."""
        errand = self._errands.asker()
        if errand is None:
            unable = self._errands.waits_for_any_of(INTERACTIVE)
            code, why = (METHOD_NOT_FOUND, _NOT_SUPPORTED) if unable else (INVALID_REQUEST, _NO_REQUEST)
            return [_refusal(question, code, why)]
        if not questions.supported(question.method, _value(question.params), errand.capabilities):
            return [_refusal(question, METHOD_NOT_FOUND, _NOT_SUPPORTED)]
        if len(errand.questions) >= MAX_QUESTIONS or not self._errands.room_for(question):
            return [_refusal(question, INTERNAL_ERROR, _TOO_MANY)]
        errand.questions = [*errand.questions, question]
        return [] if errand.asked_under is None or len(errand.questions) > 1 else self._put(errand, now)

    def _put(self, errand: Errand, now: int) -> list[Step]:
        """Answer the client's request with the first of the errand's questions."""
        request_id, question = errand.asked_under, errand.questions[0]
        assert request_id is not None
        self._errands.suspend(errand, now + LIFETIME)
        params = {name: value for name, value in question.params.items() if name not in _LEFT_OUT}
        asked: dict[str, object] = {"method": question.method}
        if params or question.method != "roots/list":
            asked["params"] = params
        return [self._input_required(errand, request_id, {_key(errand): asked})]

    def _input_required(self, errand: Errand, request_id: RequestId, asked: Mapping[str, object]) -> Answer:
        result = {
            "resultType": "input_required",
            "inputRequests": asked,
            "requestState": self._tokens.issue(errand.number, errand.digest),
            "_meta": {SERVER_META: self._server},
        }
        return Answer(members.down(members.result(request_id, result)))

    def send_elsewhere(self, errand: Errand, elicitations: Json, now: int) -> list[Step]:
        """The upstream refuses a request until a person has been to certain URLs (2025-11-25, "URL Elicitation Required
        Error"). Empty where the client cannot be sent there.
        """
        places = elicitations if isinstance(elicitations, list) else []
        asked: Members = {}
        for place in places[:MAX_QUESTIONS]:
            if not isinstance(place, dict) or place.get("mode") != "url":
                return []
            if not errand.digest or not questions.supported("elicitation/create", place, errand.capabilities):
                return []
            params = {name: value for name, value in place.items() if name not in _LEFT_OUT}
            asked[f"place-{len(asked) + 1}"] = members.raw({"method": "elicitation/create", "params": params})
        if not asked or errand.asked_under is None or len(self._errands.suspended) >= MAX_SUSPENDED:
            return []
        errand.elsewhere = asked
        self._errands.close(errand)
        return self._send_there(errand, errand.asked_under, now)

    def _send_there(self, errand: Errand, request_id: RequestId, now: int) -> list[Step]:
        self._errands.suspend(errand, now + LIFETIME)
        return [self._input_required(errand, request_id, errand.elsewhere)]

    def withdraw(self, question_id: RequestId) -> None:
        """The upstream does not want the answer any more. The errand goes on with the client's retry."""
        for errand in self._errands.by_upstream.values():
            errand.questions = [question for question in errand.questions if question.id != question_id]

    # The client answers

    def retry(self, bound: Bound, now: int) -> list[Step] | None:
        """A request that brings a token back, and perhaps the answer. None: it is to be sent as a new errand."""
        errand = self._errand_of(bound, now)
        if errand is None:
            return bound.failed(INVALID_PARAMS, _NOT_KNOWN)
        return self._back(errand, bound, now) if errand.elsewhere else self._answered(errand, bound, now)

    def _back(self, errand: Errand, bound: Bound, now: int) -> list[Step] | None:
        """The client comes back from elsewhere."""
        responses = members.plain(bound.params.get("inputResponses"))
        responses = responses if isinstance(responses, dict) else {}
        answers = [responses.get(key) for key in errand.elsewhere]
        if None in answers:
            return [*bound.kept_back(), *self._send_there(errand, bound.id, now)]
        if not all(questions.is_answer("elicitation/create", answer) for answer in answers):
            return bound.failed(INVALID_PARAMS, _NO_ANSWER)
        self._errands.drop(errand)
        declined = any(isinstance(answer, dict) and answer["action"] != "accept" for answer in answers)
        return bound.failed(INVALID_REQUEST, _DECLINED) if declined else None

    def _answered(self, errand: Errand, bound: Bound, now: int) -> list[Step]:
        """The client answers a question of the upstream's."""
        if errand.answer is not None or not errand.questions:
            self._resume(errand, bound)
            return bound.kept_back()
        question = errand.questions[0]
        responses = members.read(bound.params.get("inputResponses")) or {}
        response = responses.get(_key(errand))
        if response is None:
            self._resume(errand, bound)
            return [*bound.kept_back(), *self._put(errand, now)]
        if not questions.is_answer(question.method, members.plain(response)):
            return bound.failed(INVALID_PARAMS, _NO_ANSWER)
        self._resume(errand, bound)
        errand.questions, errand.retold = errand.questions[1:], question
        if errand.questions and errand not in self._due:  # it may have been taken back, and be carried again
            self._due.append(errand)
        return [bound.carrying(members.up(members.result(question.id, response)))]

    def _errand_of(self, bound: Bound, now: int) -> Errand | None:
        """The suspended errand that a retry proves to belong to."""
        token = members.text_of(bound.params, "requestState") or ""
        number = self._tokens.number(token)
        errand = self._errands.suspended.get(number) if number is not None else None
        if errand is None or number is None or errand.deadline <= now:
            return None
        return errand if self._tokens.proves(token, number, digest(bound.method, bound.params)) else None

    def _resume(self, errand: Errand, bound: Bound) -> None:
        self._errands.resume(errand, bound.id)
        token = members.plain(bound.meta.get("progressToken"))
        errand.token = token if members.is_id(token) else None
        errand.retold = None

    def follow_up(self, now: int) -> list[Step]:
        """Put the further questions of errands that were resumed. Not in the turn of the retry: its row must be written
        before its request is answered with the next question.
        """
        due, self._due = self._due, []
        waiting = [errand for errand in due if errand.questions and self._waited_for(errand)]
        return [step for errand in waiting for step in self._put(errand, now)]

    def _waited_for(self, errand: Errand) -> bool:
        return errand.asked_under is not None and self._errands.by_client.get(errand.asked_under) is errand

    def give_up(self, errand: Errand) -> list[Step]:
        """The client does not answer: the upstream hears so, and need not go on."""
        refusals: list[Step] = [_refusal(question, INTERNAL_ERROR, _TOO_LATE) for question in errand.questions]
        self._errands.drop(errand)
        if errand.elsewhere:
            return []
        cancelled = members.message("notifications/cancelled", {"requestId": errand.upstream_id, "reason": _TOO_LATE})
        return [*refusals, Forward(members.up(cancelled))]


def _key(errand: Errand) -> str:
    return f"question-{errand.number}"


def _refusal(question: Question, code: int, text: str) -> Forward:
    return Forward(members.up(members.failure(question.id, code, text)))


def _value(params: Members) -> dict[str, Json]:
    return {name: members.plain(value) for name, value in params.items()}
