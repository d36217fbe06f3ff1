"""Long-running calls as tasks: the experimental ones of 2025-11-25 and the extension of 2026-07-28.

The SDK serves neither, so this answers them before they reach it. A task completes when it is asked for the second
time: nothing here waits.
"""

from itertools import count
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

EXTENSION = "io.modelcontextprotocol/tasks"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
LEGACY_CAPABILITY = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
WHEN = "2026-07-28T00:00:00Z"

Json = dict[str, Any]


def add_tasks(server: MCPServer) -> None:
    """Let the tool `bake` run as a task for a client that can do tasks."""

    @server.tool()
    def bake(cake: str) -> str:
        """Take a while: for a client that knows tasks, a task."""
        return f"a {cake} cake"

    # outermost of the user's own: it owns what it answers
    server.middleware.append(Tasks())


class Tasks:
    """Every task of this server, by id."""

    def __init__(self) -> None:
        self._tasks: dict[str, Json] = {}
        self._numbers = count(1)

    async def __call__(self, context: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        params = dict(context.params or {})
        if context.method == "tools/call" and params.get("name") == "bake" and _wants_task(params, modern):
            return self._create(params["arguments"]["cake"], modern)
        if context.method.startswith("tasks/"):
            return self._answer(context.method, params, modern)
        result = await call_next(context)
        if context.method == "initialize":
            assert isinstance(result, dict)
            result["capabilities"]["tasks"] = LEGACY_CAPABILITY
        elif context.method == "server/discover":
            assert isinstance(result, dict)
            result["capabilities"].setdefault("extensions", {})[EXTENSION] = {}
        elif context.method == "tools/list" and not modern:
            assert isinstance(result, dict)
            for tool in result["tools"]:
                if tool["name"] == "bake":
                    tool["execution"] = {"taskSupport": "optional"}
        return result

    def _create(self, cake: str, modern: bool) -> Json:
        result = {"content": [{"type": "text", "text": f"a {cake} cake"}], "isError": False}
        if modern:
            result["resultType"] = "complete"
        task = {"taskId": f"task-{next(self._numbers)}", "status": "working", "result": result}
        self._tasks[task["taskId"]] = task
        return {"resultType": "task", **_shown(task, modern)} if modern else {"task": _shown(task, modern)}

    def _answer(self, method: str, params: Json, modern: bool) -> Json:
        answers = {
            "tasks/get": self._get,
            "tasks/cancel": self._cancel,
            **({"tasks/update": self._update} if modern else {"tasks/result": self._result}),
        }
        if method == "tasks/list" and not modern:
            return {"tasks": [_shown(task, modern) for task in self._tasks.values()]}
        if method not in answers:
            raise MCPError(METHOD_NOT_FOUND, "Method not found")
        task = self._tasks.get(params.get("taskId", ""))
        if task is None:
            raise MCPError(INVALID_PARAMS, "No such task")
        return {**answers[method](task, modern), **({"resultType": "complete"} if modern else {})}

    def _get(self, task: Json, modern: bool) -> Json:
        shown = _shown(task, modern)
        if task["status"] == "working":
            task["status"] = "completed"
        elif modern and task["status"] == "completed":
            shown["result"] = task["result"]
        return shown

    def _cancel(self, task: Json, modern: bool) -> Json:
        if task["status"] == "working":
            task["status"] = "cancelled"
        return {} if modern else _shown(task, modern)

    def _update(self, task: Json, modern: bool) -> Json:
        return {}

    def _result(self, task: Json, modern: bool) -> Json:
        return {**task["result"], "_meta": {"io.modelcontextprotocol/related-task": {"taskId": task["taskId"]}}}


def _wants_task(params: Json, modern: bool) -> bool:
    if modern:
        declared = params.get("_meta", {}).get(CAPABILITIES, {})
        return EXTENSION in (declared.get("extensions") or {})
    return "task" in params


def _shown(task: Json, modern: bool) -> Json:
    times = {"ttlMs": 60_000, "pollIntervalMs": 10} if modern else {"ttl": 60_000, "pollInterval": 10}
    return {"taskId": task["taskId"], "status": task["status"], "createdAt": WHEN, "lastUpdatedAt": WHEN, **times}
