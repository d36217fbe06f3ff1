"""The scripted sessions: everything the protocol has, asked of a real server. Each step is one line of a conversation.

A session is played on a connection and leaves its transcript there; nothing in it knows whether a guard is in between.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.e2e.wire import Message, Wire

Step = Callable[[Wire], object]


class Session(NamedTuple):
    """A server, and what is asked of it after the session was opened."""

    name: str
    steps: Sequence[Step]


def ask(method: str, id: int | str | None = None, **params: object) -> Step:
    """A request whose answer is awaited."""
    return lambda wire: wire.request(method, params or None, id)


def call(tool: str, meta: Message | None = None, **arguments: object) -> Step:
    """A call whose answer is awaited; `meta` goes along as its `_meta`."""
    return lambda wire: wire.call(tool, arguments, **({} if meta is None else {"_meta": meta}))


def tell(method: str, **params: object) -> Step:
    """A notification."""
    return lambda wire: wire.notify(method, params or None)


def hear(method: str) -> Step:
    """Wait for the server to say something of its own accord."""
    return lambda wire: wire.until(lambda message: message.get("method") == method)


def cancel(tool: str, **arguments: object) -> Step:
    """A call that is taken back while it runs."""

    def play(wire: Wire) -> None:
        request = wire.ask("tools/call", {"name": tool, "arguments": arguments})
        wire.notify("notifications/cancelled", {"requestId": request, "reason": "changed my mind"})

    return play


def call_and_hear(tool: str, method: str, **arguments: object) -> Step:
    """A call that makes the server say something besides its answer, in whichever order."""

    def play(wire: Wire) -> None:
        waiting = {wire.ask("tools/call", {"name": tool, "arguments": arguments}), method}
        while waiting:
            message = wire.receive()
            waiting.discard(message["method"] if "method" in message else message["id"])

    return play


def at_once(*steps: tuple[str, Message]) -> Step:
    """Several requests before the first answer; whichever order the answers come in."""

    def play(wire: Wire) -> None:
        ids = [wire.ask(method, params) for method, params in steps]
        waiting = set(ids)
        while waiting:
            message = wire.receive()
            if "method" not in message:
                waiting.discard(message["id"])

    return play


def answer_input(tool: str, **arguments: object) -> Step:
    """A modern call that asks back: the answers go with a second call (2026-07-28, "Multi round-trip requests")."""

    def play(wire: Wire) -> None:
        result = wire.call(tool, arguments)["result"]
        assert result["resultType"] == "input_required", result
        asked = result["inputRequests"]
        answers = {key: wire.answers[question["method"]] for key, question in asked.items()}
        state = {"requestState": result["requestState"]} if "requestState" in result else {}
        wire.call(tool, arguments, inputResponses=answers, **state)

    return play


def listen(*steps: Step, **notifications: object) -> Step:
    """A modern subscription, open while the steps are played, then taken back."""

    def play(wire: Wire) -> None:
        subscription = wire.ask("subscriptions/listen", {"notifications": notifications})
        hear("notifications/subscriptions/acknowledged")(wire)
        for step in steps:
            step(wire)
        wire.notify("notifications/cancelled", {"requestId": subscription})

    return play


EVERYTHING = Session(
    "everything",
    (
        hear("roots/list"),
        hear("notifications/message"),  # "roots updated"
        ask("ping"),
        ask("tools/list"),
        call("echo", message="hello"),
        call("echo", message='línea\u2028separator \U0001f98a \u0000\\"/'),
        call("echo"),
        call("get-sum", a=0.1, b=2),
        call("get-sum", a="one", b=2),
        call("get-annotated-message", messageType="error", includeImage=True),
        call("get-env"),
        call("get-resource-links", count=2),
        call("get-resource-reference", resourceType="Text", resourceId=2),
        call("get-structured-content", location="Chicago"),
        call("get-tiny-image"),
        call("gzip-file-as-resource", name="a.gz", data="data:text/plain,hello", outputType="resource"),
        call("trigger-long-running-operation", {"progressToken": "p-1"}, duration=0.1, steps=5),
        call("trigger-long-running-operation", {"progressToken": 7}, duration=0.1, steps=2),
        call("trigger-sampling-request", prompt="shorten this", maxTokens=20),
        call("trigger-elicitation-request"),
        call("get-roots-list"),
        call("no-such-tool", x=1),
        cancel("trigger-long-running-operation", duration=60, steps=1),
        ask("prompts/list"),
        ask("prompts/get", name="args-prompt", arguments={"city": "Paris", "state": "Texas"}),
        ask("prompts/get", name="no-such-prompt"),
        ask(
            "completion/complete",
            ref={"type": "ref/prompt", "name": "completable-prompt"},
            argument={"name": "department", "value": "E"},
        ),
        ask("resources/list"),
        ask("resources/templates/list"),
        ask("resources/read", uri="demo://resource/dynamic/text/3"),
        ask("resources/read", uri="demo://resource/static/document/features.md"),
        ask("resources/read", uri="demo://nowhere"),
        ask("resources/subscribe", uri="demo://resource/dynamic/text/3"),
        ask("resources/unsubscribe", uri="demo://resource/dynamic/text/3"),
        ask("logging/setLevel", level="error"),
        ask("logging/setLevel", level="shouting"),
        ask("no/such/method", anything=[1, {"deep": None}]),
        ask("tools/list", id="a string"),
        ask("ping", id="0"),
        ask("ping", id=0),
        ask("ping", id=-5),
        ask("ping", id=9007199254740991),
        ask("ping", id="ünïcödé \u2028"),
        tell("notifications/roots/list_changed"),
        hear("roots/list"),
        tell("notifications/no/such", anything=1),
        at_once(
            ("tools/call", {"name": "trigger-long-running-operation", "arguments": {"duration": 0.3, "steps": 1}}),
            ("tools/call", {"name": "echo", "arguments": {"message": "overtakes"}}),
        ),
    ),
)

FILESYSTEM = Session(
    "filesystem",
    (
        hear("roots/list"),
        ask("tools/list"),
        call("list_allowed_directories"),
        call("write_file", path="{root}/new.txt", content="one\ntwo\n"),
        call("read_text_file", path="{root}/new.txt", head=1),
        call("edit_file", path="{root}/new.txt", edits=[{"oldText": "two", "newText": "2"}], dryRun=False),
        call("read_multiple_files", paths=["{root}/new.txt", "{root}/missing.txt"]),
        call("create_directory", path="{root}/sub"),
        call("move_file", source="{root}/new.txt", destination="{root}/sub/new.txt"),
        call("directory_tree", path="{root}"),
        call("search_files", path="{root}", pattern="**/*.txt"),
        call("read_text_file", path="/etc/passwd"),
        call("read_text_file"),
        ask("resources/list"),
        ask("ping"),
    ),
)

_REFERENCE: tuple[Step, ...] = (
    ask("tools/list"),
    call("echo", text="hello"),
    call("add", a=0.1, b=1e300),
    call("weather", city="Paris"),
    call("fail", reason="as told"),
    call("count", {"progressToken": "c"}, steps=3),
    call("no_such_tool"),
    call("echo", wrong="argument"),
    cancel("wait_for_ever"),
    ask("prompts/list"),
    ask("prompts/get", name="review", arguments={"code": "x = 1"}),
    ask("prompts/get", name="nothing"),
    ask("resources/list"),
    ask("resources/templates/list"),
    ask("resources/read", uri="memo://today"),
    ask("resources/read", uri="note://tomorrow"),
    ask("resources/read", uri="void://"),
    ask(
        "completion/complete",
        ref={"type": "ref/prompt", "name": "review"},
        argument={"name": "code", "value": "x"},
    ),
    ask("no/such/method"),
    ask("tools/list", id="a string"),
)

REFERENCE = Session(
    "reference",
    (
        *_REFERENCE,
        ask("ping"),
        call("order", item="shirt"),
        call("summarize", text="a long story"),
        call("roots"),
        ask("logging/setLevel", level="error"),
    ),
)

REFERENCE_MODERN = Session(
    "reference",
    (
        *_REFERENCE,
        answer_input("order", item="shirt"),
        answer_input("summarize", text="a long story"),
        answer_input("roots"),
        listen(
            call_and_hear("grow", "notifications/tools/list_changed", name="newcomer"),
            call("newcomer", text="hello"),
            toolsListChanged=True,
        ),
        ask("tools/list"),
    ),
)
