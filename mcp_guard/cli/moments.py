"""What a person writes for a moment: `2h`, `today`, `2026-11-21`, `2026-11-21 14:30`. Local time where none is said."""

import re
from datetime import date, datetime, time, timedelta

import typer

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AHEAD_HINT = "write `2h`, `30m`, `3d`, `2w`, `today` (its end), `2026-12-31`, or `2026-12-31 14:30`"
_HINT = "write `2h`, `30m`, `3d`, `today`, `yesterday`, `2026-11-21`, or `2026-11-21 14:30`"


def moment(text: str, now: datetime, option: str, *, end: bool = False, hint: str = _HINT) -> int:
    """Microseconds since the epoch; a date is its first moment, with `end` its last.

    Raises typer.BadParameter, naming the option that the text was given with.
    """
    try:
        found = _read(text.strip(), now, end)
        return round(found.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no moment: {hint}", param_hint=option) from None


def later(text: str, now: datetime, option: str) -> int:
    """Microseconds since the epoch for a moment to come: `2h` is two hours from now. A date is its last moment.

    Raises typer.BadParameter, naming the option.
    """
    ahead = _AGO.fullmatch(text.strip())
    if ahead is None:
        return moment(text, now, option, end=True, hint=_AHEAD_HINT)
    try:
        return round((now + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})).timestamp() * 1_000_000)
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is too far away", param_hint=option) from None


def _read(text: str, now: datetime, end: bool) -> datetime:
    ago = _AGO.fullmatch(text.removesuffix(" ago"))
    if ago:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    days = {"today": 0, "yesterday": 1}.get(text.lower())
    if days is not None:
        return _whole(now.date() - timedelta(days=days), end)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return _whole(date.fromisoformat(text), end)
    return datetime.fromisoformat(text)


def _whole(day: date, end: bool) -> datetime:
    return datetime.combine(day, time.max if end else time.min)
