"""The webhooks of a guard: from options to who follows its log. `run` imports this only where one is asked for."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mcp_guard.cli.credentials import WEBHOOK_SECRET
from mcp_guard.errors import GuardError
from mcp_guard.transports.references import resolve_remote
from mcp_guard.webhooks.notices import Target, secret, target

if TYPE_CHECKING:
    from mcp_guard.webhooks.delivery import Receiver


class Webhooks(NamedTuple):
    """Who is told, and the key that what they are told is signed with."""

    targets: tuple[Target, ...] = ()
    key: bytes = b""


def webhooks(urls: Iterable[str], given: str | None) -> Webhooks:
    """The webhooks that were asked for; `given` is the secret, if there is one.

    Raises GuardError where there is no secret, or a URL is none.
    """
    targets = tuple(dict.fromkeys(target(resolve_remote(url, "--webhook")) for url in urls))
    if not targets:
        return Webhooks()
    if given is None:
        hint = "What is sent is signed with it: any random text of 16 bytes or more."
        raise GuardError(f"--webhook needs a secret in {WEBHOOK_SECRET}", hint)
    return Webhooks(targets, secret(given))


@contextmanager
def telling(path: str, told: Webhooks, say: Callable[[str], None]) -> Generator[list["Receiver"]]:
    """All of them are told of what the log at `path` gets, as long as this lasts. Raises StoreError."""
    from mcp_guard.webhooks.delivery import Receiver  # which reads the log: loaded while the server boots

    receivers = [Receiver(path, one, told.key, say) for one in told.targets]
    for receiver in receivers:
        receiver.start()
    try:
        yield receivers
    finally:
        for receiver in receivers:
            receiver.stop()
