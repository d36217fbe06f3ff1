"""A key of the guard's own, wherever a client puts it (it stands in files that agents read), is in no event."""

import msgspec
import pytest

from tests.gate.playbook import META, call, connected, modern, notification, request

KEY = "mcpg_01M7YXWRSC4FE8VAYJT0G6F8X3_pW4q-Zt8_Yx1Lk0sVb2nRc7dEa5fGh9jKm3oPu6iQsT"
SECRET = KEY.rpartition("_")[0][32:40]  # what a part of it is known by

MESSAGES = {
    "an argument": call(1, "read_file", path=f"x {KEY} y"),
    "an argument's name": call(1, "read_file", **{KEY: 1}),
    "a tool": call(1, KEY),
    "a method": request(1, KEY),
    "a prompt": request(1, "prompts/get", name=KEY),
    "a resource": request(1, "resources/read", uri=f"file:///{KEY}"),
    "a parameter": request(1, "tools/call", name="read_file", arguments=[KEY]),
    "a notification": notification(KEY),
    "a request's id": {**call(1, "read_file"), "id": KEY},
    "a client's name": call(
        1, "read_file", {**META, "io.modelcontextprotocol/clientInfo": {"name": KEY, "version": KEY}}
    ),
}


@pytest.mark.parametrize("place", MESSAGES)
def test_a_key_of_the_guards_own_is_in_no_event(place: str) -> None:
    book = modern() if place == "a client's name" else connected()
    events = [*book.client(MESSAGES[place]).events, *book.wait(60).events]
    recorded = msgspec.json.encode([msgspec.structs.asdict(event) for event in events], enc_hook=str).decode()
    assert SECRET.lower() not in recorded.lower()
