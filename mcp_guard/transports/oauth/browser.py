"""Opening a page in the user's browser, from a process whose stdout is a wire."""

import asyncio
import os
import shlex
import shutil
import sys
from contextlib import suppress
from urllib.parse import urlsplit

_PATIENCE = 10.0  # seconds for the program that opens browsers to end


def safe_to_open(url: str) -> bool:
    """Whether a URL that a stranger gave may be opened: https, or http on this machine, and nothing else."""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme == "https" or (parts.scheme == "http" and local)


async def open_page(url: str) -> bool:
    """Open a page, if there is a desktop to open it on. Gives whether that was asked for."""
    opener = _opener()
    if not opener or not safe_to_open(url):
        return False
    null = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *_opening(opener, url), stdin=null, stdout=null, stderr=null, start_new_session=True
        )
    except OSError:
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            return await process.wait() == 0
    return True


def _opener() -> list[str]:
    """The program that opens a page in the user's browser of choice; empty where there is none.

    `BROWSER` comes first: that is how an editor that works in a container or on another machine says where its user is.
    """
    chosen = _words(os.environ.get("BROWSER", "").partition(":")[0])
    if chosen and shutil.which(chosen[0]):
        return chosen
    if sys.platform == "darwin":
        return ["/usr/bin/open"]
    desktop = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("WSL_DISTRO_NAME")
    found = shutil.which("xdg-open") or shutil.which("wslview")
    return [found] if desktop and found else []


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation that does not end
        return []


def _opening(opener: list[str], url: str) -> list[str]:
    """The command that opens `url`: where `%s` stands in `opener`, else behind it. No shell reads it."""
    if any("%s" in word for word in opener[1:]):
        return [opener[0], *(word.replace("%s", url) for word in opener[1:])]
    return [*opener, url]
