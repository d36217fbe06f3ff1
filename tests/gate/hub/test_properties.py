"""Whatever servers and clients do: each request gets one answer, from the server that it was sent to and no other."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.gate import Admitted, Denied
from tests.gate.hub.playbook import CLIENT, Playbook, Server, Turn
from tests.gate.playbook import ALLOW_ALL, META, notification, request, result, tool

SLUGS = ("a", "a__b", "c")  # with the prefix below, none of their names can be taken for another's
PREFIX = "{server}.."
NAMES = ("t", "b__t", "..t", "c..t", "a..t", "")
URIS = ("r://1", "r://2", "s://1")
TASKS = ("task-1", "task-2")

SOME_POLICY = """
version: 1
rules:
  - {name: Not this one, effect: deny, tools: "b__*"}
  - {name: All others, effect: allow}
"""

known_name = st.builds(lambda slug, name: f"{slug}..{name}", st.sampled_from(SLUGS), st.sampled_from(NAMES))
name = known_name | st.sampled_from(NAMES)
asked = st.one_of(
    st.tuples(st.sampled_from(("tools/call", "prompts/get")), st.fixed_dictionaries({"name": name})),
    st.tuples(
        st.sampled_from(("tools/list", "prompts/list", "resources/list", "resources/templates/list", "tasks/list")),
        st.just({}) | st.builds(lambda cursor: {"cursor": cursor}, st.sampled_from(("1-1", "x", 3, "9" * 50))),
    ),
    st.tuples(
        st.sampled_from(("resources/read", "resources/subscribe", "resources/unsubscribe")),
        st.fixed_dictionaries({"uri": st.sampled_from(URIS)}),
    ),
    st.tuples(
        st.sampled_from(("tasks/get", "tasks/result")), st.fixed_dictionaries({"taskId": st.sampled_from(TASKS)})
    ),
    st.tuples(st.just("logging/setLevel"), st.just({"level": "debug"})),
    st.tuples(st.sampled_from(("ping", "initialize", "server/discover", "x/y", "completion/complete")), st.just({})),
    st.tuples(
        st.just("completion/complete"),
        st.fixed_dictionaries({"ref": st.builds(lambda name: {"type": "ref/prompt", "name": name}, name)}),
    ),
)
slugs = st.sampled_from(SLUGS)
ids = st.integers(0, 12) | st.sampled_from(("mcp-guard/hub/1", "mcp-guard/C1/1", "x"))
ask = st.tuples(st.just("ask"), asked, st.none() | st.integers(0, 3))
call = st.tuples(
    st.just("ask"), st.tuples(st.just("tools/call"), st.fixed_dictionaries({"name": known_name})), st.none()
)
serve = st.tuples(st.just("serve"), slugs)
step = st.one_of(
    ask,
    call,
    serve,
    serve,
    st.tuples(st.just("cancel"), st.integers(0, 4)),
    st.tuples(st.just("reply"), ids),
    st.tuples(
        st.just("answer"), slugs, st.integers(0, 5), st.sampled_from(("as it should", "error", "task", "nonsense"))
    ),
    st.tuples(st.just("claim"), slugs, ids),
    st.tuples(st.just("demand"), slugs, ids, st.sampled_from(("roots/list", "sampling/createMessage", "tasks/get"))),
    st.tuples(
        st.just("notify"),
        slugs,
        st.sampled_from(
            (
                ("notifications/progress", {"progressToken": 1, "progress": 1}),
                ("notifications/tools/list_changed", {}),
                ("notifications/resources/list_changed", {}),
                ("notifications/cancelled", {"requestId": 1}),
                ("notifications/resources/updated", {"uri": "r://1"}),
                ("notifications/tasks/status", {"taskId": "task-1"}),
                ("notifications/x", {"y": 1}),
            )
        ),
    ),
    st.tuples(st.just("garble"), slugs, st.sampled_from((b"{", b"[]", b"null", b'{"jsonrpc":"2.0","id":1}'))),
    st.tuples(st.just("exit"), slugs),
    st.tuples(st.just("policy"), st.sampled_from((ALLOW_ALL, SOME_POLICY))),
    st.tuples(st.just("start"), slugs),
    st.tuples(st.just("wait"), st.sampled_from((1, 6, 31))),
)


class Observer:
    """Drives a hub by steps, and notes who was asked what and who has answered."""

    def __init__(self, *, modern: bool, bridged: bool, policy: str, lazy: tuple[str, ...], prefix: str) -> None:
        servers = {slug: Server(silent=True) for slug in SLUGS}
        self.book = Playbook(servers, policy, prefix=prefix, lazy=lazy, bridged=bridged)
        self.modern, self.prefix = modern, prefix
        self.pending: dict[str, list[dict]] = {slug: [] for slug in SLUGS}
        self.sent: dict[int, dict] = {}  # the client's requests, by id: each is used once
        self.went: dict[int, str] = {}  # where each went under its own id
        self.answered: set[int] = set()
        self.cancelled: set[int] = set()
        self.demands: dict[int, str] = {}
        if modern:
            self.ask("server/discover", {})
        else:
            self.ask("initialize", {"protocolVersion": "2025-11-25", "clientInfo": CLIENT, "capabilities": {}})
            self.look(self.book.client(notification("notifications/initialized")))

    def ask(self, method: str, params: dict, token: int | None = None) -> None:
        meta = {**(META if self.modern else {}), **({} if token is None else {"progressToken": token})}
        number = len(self.sent)
        message = request(number, method, **params, **({"_meta": meta} if meta else {}))
        self.sent[number] = message
        self.look(self.book.client(message))

    def outward(self, slug: str, name: str) -> str:
        return self.prefix.replace("{server}", slug) + name

    def look(self, turn: Turn) -> None:
        """Check what leaves, and note it."""
        for slug, output in turn.outputs:
            if isinstance(output, Admitted | Denied) and output.event.type == "tool.decided":
                judged = self.outward(output.event.server, output.event.tool)
                assert output.event.server == slug
                assert judged == self.sent[output.event.data["request_id"]]["params"]["name"]
        for slug, message in turn.servers:
            if "method" in message and "id" in message:
                self.pending[slug].append(message)
                self._check_sent(slug, message)
            elif "result" in message:
                assert self.demands.pop(message["result"]["for"]) == slug
        for message in turn.client:
            self._check_said(message)

    def _check_sent(self, slug: str, message: dict) -> None:
        if message["id"] not in self.sent:
            return
        original = self.sent[message["id"]]
        assert message["id"] not in self.went
        self.went[message["id"]] = slug
        assert message["method"] == original["method"]
        if message["method"] in ("tools/call", "prompts/get"):
            assert self.outward(slug, message["params"]["name"]) == original["params"]["name"]

    def _check_said(self, message: dict) -> None:
        if "method" in message:
            if "id" in message:
                assert message["id"] not in self.demands
                self.demands[message["id"]] = message["params"]["by"]
            return
        if message["id"] is None:
            return  # an error about a message of which nobody waits for an answer
        assert message["id"] in self.sent
        assert message["id"] not in self.answered
        assert message["id"] not in self.cancelled
        self.answered.add(message["id"])
        by = message.get("result", {}).get("by")
        assert by is None or by == self.went[message["id"]]

    def do(self, kind: str, *facts: object) -> None:
        getattr(self, f"_{kind}")(*facts)

    def _ask(self, asked: tuple[str, dict], token: int | None) -> None:
        self.ask(*asked, token)

    def _cancel(self, back: int) -> None:
        request_id = len(self.sent) - 1 - back
        waits = request_id in self.sent and self.sent[request_id]["method"] != "initialize"
        self.look(self.book.client(notification("notifications/cancelled", requestId=request_id)))
        if waits and request_id not in self.answered:
            self.cancelled.add(request_id)

    def _reply(self, request_id: object) -> None:
        number = next(iter(self.demands), request_id)
        self.look(self.book.client(result(number, **{"for": number})))

    def _answer(self, slug: str, position: int, manner: str) -> None:
        if not self.pending[slug]:
            return
        message = self.pending[slug].pop(position % len(self.pending[slug]))
        if manner == "error":
            answer = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -1, "message": "no"}}
        elif manner == "task":
            answer = result(message["id"], by=slug, task={"taskId": "task-1"})
        elif manner == "nonsense":
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": [slug]}
            if message["id"] in self.sent:
                answer["result"] = {"by": slug, "tools": 1, "contents": None}
        else:
            answer = Server([tool("t"), tool("b__t")], ["t"], ["r://1"], ["s://{x}"]).answer(message)
            answer = answer or result(message["id"], by=slug)
        self.look(self.book.server(slug, answer))

    def _serve(self, slug: str) -> None:
        """The server answers all that it was asked, as a good one does."""
        for _ in range(40):
            self._answer(slug, 0, "as it should")

    def _claim(self, slug: str, request_id: object) -> None:
        if request_id not in [message["id"] for message in self.pending[slug]]:
            self.look(self.book.server(slug, result(request_id, by=slug, claimed=True)))

    def _demand(self, slug: str, request_id: object, method: str) -> None:
        self.look(self.book.server(slug, request(request_id, method, by=slug, taskId="task-1")))

    def _notify(self, slug: str, what: tuple[str, dict]) -> None:
        self.look(self.book.server(slug, notification(what[0], **what[1])))

    def _garble(self, slug: str, line: bytes) -> None:
        self.look(self.book.server(slug, line))

    def _exit(self, slug: str) -> None:
        self.pending[slug].clear()
        self.look(self.book.exited(slug))
        self.demands = {number: owner for number, owner in self.demands.items() if owner != slug}

    def _start(self, slug: str) -> None:
        self.look(self.book.started(slug))

    def _policy(self, text: str) -> None:
        self.look(self.book.policy(text))

    def _wait(self, seconds: int) -> None:
        self.look(self.book.wait(seconds))


@settings(deadline=None, max_examples=400)
@given(
    st.booleans(),
    st.booleans(),
    st.sampled_from((ALLOW_ALL, SOME_POLICY)),
    st.sampled_from(((), ("c",))),
    st.sampled_from((PREFIX, PREFIX, "")),
    st.lists(slugs, max_size=3, unique=True),
    st.lists(step, min_size=5, max_size=40),
)
def test_each_request_gets_exactly_one_answer_and_only_from_where_it_went(
    modern: bool, bridged: bool, policy: str, lazy: tuple[str, ...], prefix: str, prompt: list[str], steps: list[tuple]
) -> None:
    observer = Observer(modern=modern, bridged=bridged, policy=policy, lazy=lazy, prefix=prefix)
    for slug in prompt:
        observer.do("serve", slug)
    for kind, *facts in steps:
        observer.do(kind, *facts)
    for slug in SLUGS:
        observer.do("exit", slug)
    for _ in range(4):
        observer.do("wait", 31)
    assert observer.sent.keys() - observer.cancelled == observer.answered
