"""What the official conformance suite looks for by name: its tools, prompts and resources begin with `test`.

The names, texts and schemas are the suite's; each scenario says what it wants when it fails. The features themselves
are those of `reference_features`.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, cast

import mcp_types as types
from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from pydantic import BaseModel, Field, create_model
from reference_features import is_modern

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one, red
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
CONFIRMED = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
EVERY_KEYWORD: Mapping[str, Any] = {  # of JSON Schema 2020-12, for the scenario that looks whether they arrive
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def add_conformance(server: MCPServer) -> None:
    """Add all that the suite's scenarios ask for."""
    add_content(server)
    add_legacy_questions(server)
    add_input_required(server)
    add_streams(server)
    add_changes(server)
    add_prompts(server)
    add_resources(server)
    # what has no description of its own: the suite wants one of everything, and its name says all there is to say
    for item in (
        *server._tool_manager.list_tools(),  # pyright: ignore[reportPrivateUsage]  (no public way to these)
        *server._prompt_manager.list_prompts(),  # pyright: ignore[reportPrivateUsage]
    ):
        item.description = item.description or f"For the conformance suite: {item.name}"


def text(said: str) -> types.TextContent:
    return types.TextContent(type="text", text=said)


def image() -> types.ImageContent:
    return types.ImageContent(type="image", data=PIXEL, mime_type="image/png")


def embedded(uri: str, mime_type: str, said: str) -> types.EmbeddedResource:
    contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=said)
    return types.EmbeddedResource(type="resource", resource=contents)


def add_content(server: MCPServer) -> None:
    """Results of every kind of content, and both kinds of error."""

    @server.tool()
    def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> list[types.ContentBlock]:
        return [image()]

    @server.tool()
    def test_audio_content() -> list[types.ContentBlock]:
        return [types.AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")]

    @server.tool()
    def test_embedded_resource() -> list[types.ContentBlock]:
        return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]

    @server.tool()
    def test_multiple_content_types() -> list[types.ContentBlock]:
        mixed = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
        return [text("Multiple content types test:"), image(), mixed]

    @server.tool()
    def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool()
    def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "",
    ) -> str:
        return f"region: {region}"

    @server.tool()
    async def test_missing_capability(context: Context) -> str:
        declared = context.client_capabilities
        if declared is None or declared.sampling is None:
            needed = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs the client's model", needed)
        return "The client has a model."

    @server.tool()
    def json_schema_2020_12_tool() -> str:
        return "no arguments needed"

    # pyright: ignore: a tool's schema can only be made from a function's signature
    tool = server._tool_manager.get_tool("json_schema_2020_12_tool")  # pyright: ignore[reportPrivateUsage]
    assert tool is not None
    tool.parameters = dict(EVERY_KEYWORD)


class Answer(BaseModel):
    response: str = Field(description="User's response")


DEFAULTS = create_model(
    "Defaults",
    name=(str, Field(default="John Doe")),
    age=(int, Field(default=30)),
    score=(float, Field(default=95.5)),
    status=(str, Field(default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]})),
    verified=(bool, Field(default=True)),
)
TITLED = [{"const": value, "title": value.title()} for value in ("value1", "value2", "value3")]
CHOICES = create_model(
    "Choices",
    untitledSingle=(str, Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})),
    titledSingle=(str, Field(json_schema_extra={"oneOf": cast("Any", TITLED)})),
    legacyEnum=(
        str,
        Field(json_schema_extra={"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option 1", "Option 2", "Option 3"]}),
    ),
    untitledMulti=(
        list[str],
        Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2", "option3"]}}),
    ),
    titledMulti=(list[str], Field(json_schema_extra={"items": cast("Any", {"anyOf": TITLED})})),
)


def add_legacy_questions(server: MCPServer) -> None:
    """Questions as requests of their own, on the stream of the call that asks them."""

    @server.tool()
    async def test_sampling(prompt: str, context: Context) -> str:
        answer = await context.session.create_message(  # pyright: ignore[reportDeprecated]
            [types.SamplingMessage(role="user", content=text(prompt))],
            max_tokens=100,
            related_request_id=context.request_id,
        )
        assert isinstance(answer.content, types.TextContent)
        return f"LLM response: {answer.content.text}"

    async def asked(context: Context, message: str, schema: type[BaseModel]) -> str:
        answer = await context.elicit(message, schema)
        content = answer.data.model_dump_json() if answer.action == "accept" else "{}"
        return f"action={answer.action}, content={content}"

    @server.tool()
    async def test_elicitation(message: str, context: Context) -> str:
        return f"User response: {await asked(context, message, Answer)}"

    @server.tool()
    async def test_elicitation_sep1034_defaults(context: Context) -> str:
        return f"Elicitation completed: {await asked(context, 'Please check the defaults', DEFAULTS)}"

    @server.tool()
    async def test_elicitation_sep1330_enums(context: Context) -> str:
        return f"Elicitation completed: {await asked(context, 'Please choose', CHOICES)}"


def elicitation(message: str, schema: dict[str, Any]) -> types.ElicitRequest:
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(question: str) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=text(question))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=100))


def answered(context: Context, *keys: str) -> list[Any] | None:
    """The client's answers to these questions, if it has sent all of them."""
    given = context.input_responses or {}
    return [given[key] for key in keys] if all(key in given for key in keys) else None


def field(answer: Any, name: str) -> Any:
    return (answer.content or {}).get(name) if isinstance(answer, types.ElicitResult) else None


Result = str | types.InputRequiredResult


def add_input_required(server: MCPServer) -> None:
    """Questions as results: answered by a second call (2026-07-28, "Multi round-trip requests")."""
    required = types.InputRequiredResult

    @server.tool()
    async def test_input_required_result_elicitation(context: Context) -> Result:
        given = answered(context, "user_name")
        if given is None:
            return required(input_requests={"user_name": elicitation("What is your name?", NAME)})
        return f"Hello, {field(given[0], 'name')}!"

    @server.tool()
    async def test_input_required_result_sampling(context: Context) -> Result:
        given = answered(context, "capital_question")
        if given is None:
            return required(input_requests={"capital_question": sampling("What is the capital of France?")})
        content = given[0].content
        return f"The model says: {content.text if isinstance(content, types.TextContent) else content}"

    @server.tool()
    async def test_input_required_result_list_roots(context: Context) -> Result:
        given = answered(context, "client_roots")
        if given is None:
            return required(input_requests={"client_roots": types.ListRootsRequest()})
        return f"{len(given[0].roots)} roots"

    @server.tool()
    async def test_input_required_result_request_state(context: Context) -> Result:
        if answered(context, "confirm") is None or context.request_state != "as given":
            asked = {"confirm": elicitation("Please confirm", CONFIRMED)}
            return required(input_requests=asked, request_state="as given")
        return "state-ok: confirmed"

    @server.tool()
    async def test_input_required_result_multiple_inputs(context: Context) -> Result:
        asked: dict[str, types.InputRequest] = {
            "user_name": elicitation("What is your name?", NAME),
            "greeting": sampling("Generate a greeting"),
            "client_roots": types.ListRootsRequest(),
        }
        if answered(context, *asked) is None:
            return required(input_requests=asked, request_state="all three")
        return "All answers are here."

    @server.tool()
    async def test_input_required_result_multi_round(context: Context) -> Result:
        return rounds(context)

    @server.tool()
    async def test_input_required_result_tampered_state(context: Context) -> Result:
        if context.request_state is None:
            return required(input_requests={"confirm": elicitation("Confirm", CONFIRMED)}, request_state="first round")
        return f"state-ok: {context.request_state}"

    @server.tool()
    async def test_input_required_result_capabilities(context: Context) -> types.InputRequiredResult:
        declared = context.client_capabilities or types.ClientCapabilities()
        asked: dict[str, types.InputRequest] = {}
        if declared.sampling is not None:
            asked["sample"] = sampling("Say hello")
        if declared.elicitation is not None:
            asked["ask"] = elicitation("What is your name?", NAME)
        return required(input_requests=asked, request_state="only what the client can")


def rounds(context: Context) -> Result:
    """Two questions one after the other; what was answered to the first rides in the state."""
    state = json.loads(context.request_state) if context.request_state else {}
    second, first = answered(context, "step2"), answered(context, "step1")
    if "name" in state and second is not None:
        return f"{state['name']} likes {field(second[0], 'color')}."
    if state and first is not None:
        colour = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
        asked = {"step2": elicitation("Step 2: What is your favorite color?", colour)}
        return types.InputRequiredResult(
            input_requests=asked, request_state=json.dumps({"name": field(first[0], "name")})
        )
    asked = {"step1": elicitation("Step 1: What is your name?", NAME)}
    return types.InputRequiredResult(input_requests=asked, request_state=json.dumps({"round": 1}))


def add_streams(server: MCPServer) -> None:
    """What comes on a call's stream before its answer; and a stream that the server closes on its way."""

    @server.tool()
    async def test_tool_with_logging(context: Context) -> str:
        for stage in ("started", "processing data", "completed"):
            await context.info(f"Tool execution {stage}")  # pyright: ignore[reportDeprecated]
        return "logged"

    @server.tool()
    async def test_tool_with_progress(context: Context) -> str:
        for done in (0, 50, 100):
            await context.report_progress(done, 100, f"Completed step {done} of 100")
        return "done"

    @server.tool()
    async def test_reconnection(context: Context) -> str:
        await context.close_sse_stream()
        return "answered where nobody listened: to be fetched by its event id"


def add_changes(server: MCPServer) -> None:
    """Changes that are over at once: only the word of them stays."""

    @server.tool()
    async def test_trigger_tool_change(context: Context) -> str:
        server.add_tool(test_dynamic, name="test_dynamic")
        server.remove_tool("test_dynamic")
        await (context.notify_tools_changed() if is_modern(context) else context.session.send_tool_list_changed())
        return "tools changed"

    @server.tool()
    async def test_trigger_prompt_change(context: Context) -> str:
        server.add_prompt(Prompt.from_function(test_dynamic, name="test_dynamic"))
        server.remove_prompt("test_dynamic")
        await (context.notify_prompts_changed() if is_modern(context) else context.session.send_prompt_list_changed())
        return "prompts changed"


def test_dynamic() -> str:
    return "here for a moment"


def add_prompts(server: MCPServer) -> None:
    @server.prompt()
    def test_simple_prompt() -> list[UserMessage]:
        return [UserMessage(text("This is a simple prompt for testing."))]

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  (the suite's name)
        resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage(text("Please process the embedded resource above."))]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(image()), UserMessage(text("Please analyze the image above."))]

    @server.prompt()
    async def test_input_required_result_prompt(context: Context) -> list[UserMessage] | types.InputRequiredResult:
        given = answered(context, "user_context")
        if given is None:
            schema = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}
            asked = {"user_context": elicitation("What context should the prompt use?", schema)}
            return types.InputRequiredResult(input_requests=asked)
        return [UserMessage(text(f"In the context of {field(given[0], 'context')}"))]


def add_resources(server: MCPServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return b"\x89PNG\r\n\x1a\n"

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched_resource() -> str:
        return "Watched resource content"

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})
