"""One policy and one registry for many connections of one process: looked after for all, in force for each in turn."""

from collections.abc import Callable

from mcp_guard.cli.guard import load_policy
from mcp_guard.cli.policy_files import PolicyFiles
from mcp_guard.errors import GuardError
from mcp_guard.policy import Policy
from mcp_guard.store import LiveRegistry
from mcp_guard.transports.conversation import Addressed, Conversation
from mcp_guard.transports.stdio import say


class SharedPolicy:
    """The policy in force, and the files that it came from and is read from anew when they change."""

    def __init__(self, files: PolicyFiles, policy: Policy, registry: LiveRegistry) -> None:
        self.policy = policy
        self.registry = registry
        self._files = files
        self._changes = 0
        self._errors: list[str] = []  # why the latest change was refused

    def reloader(self, governed: Conversation) -> Callable[[int], list[Addressed]]:
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
            self.policy = load_policy(self._files.read())
        except GuardError as error:
            self._errors = [error.message]
            say(f"the changed policy is refused, the last good one stays in force\n{error}")
        else:
            self._errors = []
            say(f"the changed policy is in force: {', '.join(self._files.paths)}")
