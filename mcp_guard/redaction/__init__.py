"""What of the arguments and texts of others may be written down: secrets are kept as keyed hashes, sizes are bounded.

Pure: values in, values out. `patterns` says what looks like a secret, `arguments` what of a call's arguments the log
keeps, `text` makes a text of a client or an upstream fit for a log line, `visible` knows which characters show.
"""

from mcp_guard.redaction.arguments import ArgumentsMode, recorded_arguments, shown_arguments
from mcp_guard.redaction.text import safe_text

__all__ = ["ArgumentsMode", "recorded_arguments", "safe_text", "shown_arguments"]
