"""One thing that was looked at: how it stands, and what to do about it."""

from typing import Literal

import msgspec

Level = Literal["ok", "note", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """`what` says how `subject` stands, in one line without secrets; `hint` what to do, and is empty where nothing is.

    An `error` keeps something from working or from being guarded; a `warning` may be meant; a `note` only tells.
    """

    level: Level
    subject: str
    what: str
    hint: str = ""
