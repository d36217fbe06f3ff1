"""What a guard loads before the first call, and what it must not."""

import subprocess
import sys

HEAVY = ("pydantic", "yaml", "typer", "rich", "celpy", "difflib")


def test_deciding_loads_nothing_that_reading_needs() -> None:
    """Start-up is part of the product: what only reads, checks or prints policies is imported where it does."""
    program = (
        "import sys; from mcp_guard.policy import Call, Policy, Principal\n"
        "Policy.empty().decide(Call(Principal('a', 'u'), 's', 't'))\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
