"""Where tokens are kept between runs: the operating system's keyring where there is one, else a file of the user's own.

The invariant: nobody but the user can read the file, at no moment of its life; nothing of its content is ever shown.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from mcp_guard import user_directories

_SERVICE = "mcp-guard"

_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known for one login (`Client.login`): the SDK's models as JSON, None where there is none. `stale`: when
    to refresh.
    """

    login: str = ""
    tokens: dict[str, Any] | None = None
    stale: float | None = None  # seconds since the epoch
    client: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None  # of the authorization server
    resource: dict[str, Any] | None = None  # of the MCP server
    authorization_server: str | None = None

    @property
    def authorization(self) -> str | None:
        """The header that the token makes, if it can stand in one."""
        token = self.tokens.get("access_token") if self.tokens else None
        return f"Bearer {token}" if isinstance(token, str) and _TOKEN.fullmatch(token) else None

    @property
    def refreshable(self) -> bool:
        """Whether the token can be exchanged for a new one."""
        return bool(self.tokens and self.tokens.get("refresh_token") and (self.client or self.metadata))


NOTHING = Kept()


class Vault(Protocol):
    """Keeps one value for each login: a server, and who one is there (`Client.login`)."""

    def read(self, login: str) -> Kept:
        """What is kept for this login; `NOTHING` where that is nothing, or cannot be read."""
        ...

    def write(self, login: str, kept: Kept) -> None:
        """Keep this for a login from now on. Raises OSError or RuntimeError where that cannot be."""
        ...


class FileVault:
    """A file for each login, in a directory of the user's own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, login: str) -> Kept:
        """Read the file, unless others may write or read it: then it is not believed."""
        path = self._path(login)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_uid != os.getuid() or status.st_mode & 0o077:
                    return NOTHING
                return _decode(file.read())
        except OSError:
            return NOTHING

    def write(self, login: str, kept: Kept) -> None:
        """Replace the file in one step; it is the user's own from its first byte."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._directory)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path(login))
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _path(self, login: str) -> Path:
        return self._directory / f"{sha256(login.encode()).hexdigest()[:32]}.json"


class KeyringVault:
    """The operating system's keyring. What it refuses is as if it were not there."""

    def __init__(self, keyring: Any) -> None:
        self._keyring = keyring

    def read(self, login: str) -> Kept:
        """Ask the keyring; it may ask the user to unlock it."""
        try:
            text = self._keyring.get_password(_SERVICE, login)
        except Exception:  # its backends raise what they like
            return NOTHING
        return _decode(text.encode()) if isinstance(text, str) else NOTHING

    def write(self, login: str, kept: Kept) -> None:
        """Give it to the keyring. Raises RuntimeError."""
        try:
            self._keyring.set_password(_SERVICE, login, msgspec.json.encode(kept).decode())
        except Exception as error:
            raise RuntimeError(f"the keyring refused it ({type(error).__name__})") from None


class LazyVault:
    """A vault that is opened when it is first asked: a keyring takes its time, and few servers need a login."""

    def __init__(self, opening: Callable[[], Vault]) -> None:
        self._opening = opening
        self._vault: Vault | None = None

    def read(self, login: str) -> Kept:
        """As the vault behind it."""
        return self._opened().read(login)

    def write(self, login: str, kept: Kept) -> None:
        """As the vault behind it."""
        self._opened().write(login, kept)

    def _opened(self) -> Vault:
        if self._vault is None:
            self._vault = self._opening()
        return self._vault


def open_vault(directory: Path | None = None) -> Vault:
    """The keyring where there is one that works, else files in `directory` (None: the user's data directory)."""
    if directory is None:
        keyring = _keyring()
        if keyring is not None:
            return KeyringVault(keyring)
        directory = Path(user_directories.data(), "tokens")
    return FileVault(directory)


def _keyring() -> Any:
    """The keyring's module, if it is installed and has a place of its own to keep secrets in."""
    try:
        import keyring  # pyright: ignore[reportMissingImports]  (optional: the `keyring` extra)

        backend = cast(Any, keyring).get_keyring()
        return keyring if backend.priority >= 1 else None  # pyright: ignore[reportUnknownVariableType]
    except Exception:  # not installed, or a backend that fails where there is no desktop
        return None


def _decode(text: bytes) -> Kept:
    try:
        return msgspec.json.decode(text, type=Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return NOTHING
