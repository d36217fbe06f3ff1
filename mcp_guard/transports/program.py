"""What is to run as an upstream, the few steps between fork and exec that make a process it, and why it cannot be run.

A program starts clean: a session and group of its own, default signals, descriptors 0, 1 and 2 and no other.
"""

import errno
import os
import signal
from collections.abc import Mapping

from mcp_guard.errors import GuardError
from mcp_guard.transports.process_tree import Prctl, die_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


_NOT_FOUND = (
    "is it installed and on PATH? Programs started from a desktop often have a shorter PATH than a shell: "
    "an absolute path always works"
)
_HINTS = {
    errno.EACCES: "make it executable (chmod +x), or put its interpreter in front of it",
    errno.ENOEXEC: "a script needs a first line such as #!/bin/sh; a binary must be one for this system",
    errno.ENOENT: "check the path",
    errno.EAGAIN: "too many processes: see `ulimit -u`",
    errno.E2BIG: "its arguments and environment are too long together",
}


class UpstreamError(GuardError):
    """An upstream that could not be started."""


def ignored_signals() -> tuple[int, ...]:
    """What somebody may send to whatever looks like a guard, or to all of a terminal's or a user's processes."""
    # fmt: off
    return (
        signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2,
        signal.SIGPIPE, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
    )
    # fmt: on


class Program:
    """What is to run: arguments, working directory (None: the guard's), environment; `paths`: where it may be."""

    __slots__ = ("argv", "cwd", "env", "paths")

    def __init__(self, argv: list[str], cwd: str | None, env: Mapping[str, str]) -> None:
        self.argv, self.cwd = argv, cwd
        self.env = {name: value for name, value in env.items() if name}  # some parents pass on a nameless one
        name = argv[0]
        directories = [""] if "/" in name else env.get("PATH", os.defpath).split(":")
        self.paths = [os.path.join(directory, name) for directory in directories]

    def can_be_passed(self) -> bool:
        """Whether the system can hand this over: no NUL, nothing but text, no `=` in the name of a variable."""
        try:
            texts = map(os.fsencode, (*self.argv, self.cwd or "", *self.env, *self.env.values()))
            return not any(b"\0" in text for text in texts) and not any("=" in name for name in self.env)
        except UnicodeEncodeError:
            return False

    def become(self, stdin: int, stdout: int, trouble: int, prctl: Prctl | None, parent: int) -> "NoReturn":
        """Turn the child that `parent` has just forked into the program, with these two descriptors as 0 and 1.

        What cannot be done goes to `trouble`, as `STAGE ERRNO`; nothing goes there, and it is closed, if all went well.
        """
        stage = b"exec"
        try:
            os.setsid()
            for number in ignored_signals():
                signal.signal(number, signal.SIG_DFL)
            os.dup2(stdin, 0)
            os.dup2(stdout, 1)
            os.set_inheritable(2, True)
            if prctl is not None:
                die_with_parent(prctl, parent)
            if self.cwd is not None:
                stage = b"cwd"
                os.chdir(self.cwd)
                stage = b"exec"
            self._execute()
        except OSError as error:
            os.write(trouble, b"%s %d" % (stage, error.errno or 0))
        finally:
            os._exit(127)

    def _execute(self) -> "NoReturn":
        """Replace this process. Raises OSError: the first that is not of a missing file, if there is one."""
        failure = FileNotFoundError(errno.ENOENT, "not found")
        for path in self.paths:
            try:
                os.execve(path, self.argv, self.env)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                failure = failure if failure.errno != errno.ENOENT else error
        raise failure

    def failure(self, stage: str, number: int) -> UpstreamError:
        """Why a program could not be started, as a person can mend it."""
        name, why = shown(self.argv[0]), os.strerror(number)
        if stage == "cwd":
            where = shown(self.cwd or "")
            return UpstreamError(
                f"cannot start {name} in {where}: {why}", "the working directory (cwd) must exist and be accessible"
            )
        found = [path for path in self.paths if os.path.exists(os.path.join(self.cwd or "", path))]
        if number == errno.ENOENT and found:
            return UpstreamError(
                f"cannot start {name}: its interpreter is missing", f"see the first line of {found[0]}"
            )
        if number == errno.ENOENT and os.sep not in self.argv[0]:
            return UpstreamError(f"command not found: {name}", _NOT_FOUND)
        if number == errno.EACCES and found and os.path.isdir(os.path.join(self.cwd or "", found[0])):
            return UpstreamError(f"cannot start {name}: it is a directory", "name the program in it")
        return UpstreamError(f"cannot start {name}: {why}", _HINTS.get(number, ""))


def shown(text: str) -> str:
    """A command or path as it may stand in a message of one line."""
    return text if text.isprintable() else ascii(text)
