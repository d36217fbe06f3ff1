"""Where a user's data and configuration are, as the system has it.

On Linux two variables and two defaults say so (the XDG Base Directory Specification), and where they say it plainly
they are read here: `platformdirs`, which knows every system and every doubtful case, takes a fifth of a start to load.
"""

import os
import sys

_NAME = "mcp-guard"


def data() -> str:
    """The directory for what the guard keeps."""
    plain = _plain("XDG_DATA_HOME", "~/.local/share")
    if plain is not None:
        return plain
    import platformdirs

    return platformdirs.user_data_dir(_NAME, appauthor=False)


def config() -> str:
    """The directory for what the user tells the guard."""
    plain = _plain("XDG_CONFIG_HOME", "~/.config")
    if plain is not None:
        return plain
    import platformdirs

    return platformdirs.user_config_dir(_NAME, appauthor=False)


def policy() -> str:
    """The user's own policy file: `init` writes it if there is none, and it holds where no other is given."""
    return os.path.join(config(), "policy.yaml")


def _plain(variable: str, default: str) -> str | None:
    """The directory that the variable names, or the default; None where that is no plain matter."""
    if sys.platform != "linux" or "ANDROID_ROOT" in os.environ:
        return None
    home = os.environ.get(variable) or (os.path.expanduser(default) if os.environ.get("HOME", "")[:1] == "/" else "")
    return os.path.join(home, _NAME) if home[:1] == "/" and home == home.strip() else None
