"""One policy and one registry for many connections of one process: looked after for all, in force for each in turn."""

from collections.abc import Callable
from typing import Protocol

from mcp_guard.cli.policy_files import PolicyFiles
from mcp_guard.errors import GuardError
from mcp_guard.policy import Policy
from mcp_guard.store import LiveRegistry
from mcp_guard.transports.conversation import Addressed


class Governed(Protocol):
    """What takes a new policy: a conversation."""

    def replace_policy(self, policy: Policy, now: int) -> list[Addressed]:
        """Another policy is in force from now on."""
        ...

    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Addressed]:
        """A new policy could not be taken."""
        ...

    def registry_changed(self, now: int) -> list[Addressed]:
        """What is kept of agents has changed."""
        ...


class SharedPolicy:
    """The policy in force, and the files it came from. `load` reads them anew; `say` tells a person what came of it."""

    def __init__(
        self,
        files: PolicyFiles,
        policy: Policy,
        registry: LiveRegistry,
        load: Callable[[], Policy],
        say: Callable[[str], None],
    ) -> None:
        self.policy = policy
        self.registry = registry
        self._files, self._load, self._say = files, load, say
        self._changes = 0
        self._errors: list[str] = []  # why the latest change was refused

    def reloader(self, governed: Governed) -> Callable[[int], list[Addressed]]:
        """What a connection asks before each message: the outputs of a change that it has not heard of, or none."""
        seen, known = self._changes, self.registry.changes

        def reload(now: int) -> list[Addressed]:
            nonlocal known
            self.registry.look(now)
            if known == self.registry.changes:
                return policy_changed(now)
            known = self.registry.changes
            return governed.registry_changed(now) + policy_changed(now)

        def policy_changed(now: int) -> list[Addressed]:
            nonlocal seen
            self._look()
            if seen == self._changes:
                return []
            seen = self._changes
            if self._errors:
                return governed.policy_rejected(self._files.paths, self._errors, now)
            return governed.replace_policy(self.policy, now)

        return reload

    def _look(self) -> None:
        if not self._files.changed():
            return
        self._changes += 1
        try:
            self.policy = self._load()
        except GuardError as error:
            self._errors = [error.message]
            self._say(f"the changed policy is refused, the last good one stays in force\n{error}")
        else:
            self._errors = []
            self._say(f"the changed policy is in force: {', '.join(self._files.paths)}")
