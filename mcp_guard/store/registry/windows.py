"""The windows of time that budgets are counted in, all in UTC: a minute, an hour, a day, a calendar month."""

from datetime import UTC, datetime

from mcp_guard.governance.snapshot import BudgetWindow

_LENGTHS: dict[BudgetWindow, int] = {"minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}


def around(window: BudgetWindow, now: int) -> tuple[int, int]:
    """When the window around `now` began, and when it ends (all microseconds since the epoch)."""
    length = _LENGTHS.get(window)
    if length is not None:
        return now - now % length, now - now % length + length
    today = datetime.fromtimestamp(now // 1_000_000, UTC)
    first = datetime(today.year, today.month, 1, tzinfo=UTC)
    following = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * 1_000_000, int(following.timestamp()) * 1_000_000


def counted(window: BudgetWindow, now: int, began: int) -> tuple[int, int]:
    """The window that something at `now` counts in, where the one that counting has come to `began`: that one, also
    where it is the next already. Another guard was there first then, and what comes late does not begin the count anew.
    """
    start, end = around(window, now)
    return around(window, began) if began == end else (start, end)
