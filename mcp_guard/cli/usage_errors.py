"""What is said of words that a command does not know, or cannot use: what is wrong, and what may have been meant."""

import re
import sys
from typing import Any

from mcp_guard.cli.output import say_error
from mcp_guard.policy.diagnostics import closest

_WORDS = (  # what the command-line library says: what is said instead
    (r"^Invalid value for '(.+?)'", r"Invalid value for \1"),
    (r": Value error, ", ": "),
    (r": Input should be a valid integer\b.*", ": not a whole number"),
    (r": Input should be a valid number\b.*", ": not a number"),
    (r": Input should be greater than or equal to ", ": it must be at least "),
    (r": Input should be less than or equal to ", ": it must be at most "),
    (r"^No such option: (\S+).*", r"there is no option `\1`"),
    (r"\.$", ""),
)


def say_usage_error(error: Any) -> None:
    """What is wrong with the words; of a group whose command is missing, its help, which is the whole of the error."""
    message: str = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":  # to ask for the help again would print it: stdout is the wire
        sys.stderr.write(message + "\n")
        return
    for found, instead in _WORDS:
        message = re.sub(found, instead, message)
    say_error(
        message, _meant(error) or f"`{error.ctx.command_path if error.ctx else 'mcp-guard'} --help` shows what there is"
    )


def _meant(error: Any) -> str:
    """The option that an unknown one is most like."""
    near = closest(getattr(error, "option_name", ""), getattr(error, "possibilities", None) or ())
    return f"did you mean `{near}`?" if near else ""
