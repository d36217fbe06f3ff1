"""What a token claims, once its signature was checked: for whom it is, for how long, who it says somebody is."""

import math
import re
from collections.abc import Mapping
from typing import cast

import msgspec

from mcp_guard.identity.errors import CredentialError
from mcp_guard.slugs import AGENT_RULE, is_agent

LEEWAY = 30  # seconds by which two clocks may differ
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}")  # an agent, a user, a group, an id
_MOST_GROUPS = 1_000
_MICROSECONDS = 1_000_000
_LATEST = 253_402_300_799  # of the year 9999

Claims = Mapping[str, object]


class Demands(msgspec.Struct, frozen=True):
    """What a token of one issuer has to claim, and which of its claims say who somebody is.

    A claim is named as it is, or by a JSON pointer: `/realm_access/roles`. `agent_claim` None: its tokens are about
    users only. `longest` is for how many seconds a token may be good. `overtime` is for how many it is good beyond its
    end, for a clock that is late; none, where there is but one clock.
    """

    issuer: str
    audience: str
    agent_claim: str | None
    user_claim: str | None
    groups_claim: str | None
    longest: int
    overtime: int = LEEWAY


class Identity(msgspec.Struct, frozen=True):
    """Who a token proves somebody to be. `token` is its id ("" where it has none); `expires` is when it proves nothing
    any more (microseconds since the epoch), the overtime included.
    """

    agent: str | None
    user: str | None
    groups: tuple[str, ...]
    token: str
    expires: int


def check(claims: Claims, demands: Demands, now: int) -> Identity:
    """Who a token is about, at `now` (microseconds since the epoch). Its signature was checked before.

    Raises CredentialError.
    """
    if claims.get("iss") != demands.issuer:
        raise CredentialError("the token is from another issuer")
    if demands.audience not in _audiences(claims):
        raise CredentialError("the token is for another audience")
    if "cnf" in claims:  # RFC 7800; whoever merely shows it has not proven to be its owner
        raise CredentialError("the token is bound to a key of its owner, which cannot be checked here")
    expires = _check_times(claims, demands, now)
    agent = None if demands.agent_claim is None else _label(claims, demands.agent_claim)
    if demands.agent_claim is not None and agent is None:
        raise CredentialError("the token does not say which agent it is about")
    if agent is not None and not is_agent(agent):
        raise CredentialError(f"the token's `{demands.agent_claim}` cannot be the slug of an agent", AGENT_RULE)
    user = None if demands.user_claim is None else _label(claims, demands.user_claim)
    if demands.user_claim in ("email", "/email") and claims.get("email_verified", True) is not True:
        raise CredentialError("the token's e-mail address was never verified by its issuer")
    if agent is None and user is None:
        raise CredentialError("the token says neither which agent nor which user it is about")
    return Identity(agent, user, _groups(claims, demands.groups_claim), _label(claims, "jti") or "", expires)


def _check_times(claims: Claims, demands: Demands, now: int) -> int:
    """When the token ends (microseconds since the epoch, with the overtime)."""
    seconds = now / _MICROSECONDS
    expires, issued, begins = (_time(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None:
        raise CredentialError("the token never expires (it has no `exp`), which is not accepted")
    if seconds >= expires + demands.overtime:
        raise CredentialError("the token has expired")
    if begins is not None and seconds < begins - LEEWAY:
        raise CredentialError("the token is not valid yet")
    if issued is not None and seconds < issued - LEEWAY:
        raise CredentialError("the token was issued in the future")
    if expires - (seconds if issued is None else issued) > demands.longest + LEEWAY:
        raise CredentialError(f"the token is valid for longer than {_duration(demands.longest)}")
    return int((expires + demands.overtime) * _MICROSECONDS)


def _time(claims: Claims, name: str) -> float | None:
    """A NumericDate (RFC 7519, 2)."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LATEST <= value <= _LATEST:
        raise CredentialError(f"the token's `{name}` is no time")
    if not math.isfinite(value):
        raise CredentialError(f"the token's `{name}` is no time")
    return value


def _audiences(claims: Claims) -> list[object]:
    said = claims.get("aud")
    return cast("list[object]", said) if isinstance(said, list) else [said]


def _label(claims: Claims, name: str) -> str | None:
    """A claim that names somebody; None where there is none."""
    value = claim(claims, name)
    if value is None:
        return None
    if not isinstance(value, str) or _LABEL.fullmatch(value) is None:
        raise CredentialError(f"the token's `{name}` is not a short text")
    return value


def _groups(claims: Claims, name: str | None) -> tuple[str, ...]:
    value = None if name is None else claim(claims, name)
    found = cast("list[object]", value) if isinstance(value, list) else [] if value is None else [value]
    groups = tuple(group for group in found if isinstance(group, str) and _LABEL.fullmatch(group))
    if len(groups) < len(found) or len(groups) > _MOST_GROUPS:
        raise CredentialError(f"the token's `{name}` is no list of at most {_MOST_GROUPS} short texts")
    return groups


def claim(claims: Claims, name: str) -> object:
    """What is claimed under a name, or at a JSON pointer (RFC 6901); None where nothing is."""
    if not name.startswith("/"):
        return claims.get(name)
    place: object = claims
    for step in name[1:].split("/"):
        if not isinstance(place, dict):
            return None
        place = cast("Claims", place).get(step.replace("~1", "/").replace("~0", "~"))
    return place


def _duration(seconds: int) -> str:
    days, hours = seconds / 86_400, seconds / 3_600
    return f"{days:g} days" if days >= 2 else f"{hours:g} hours" if hours >= 2 else f"{seconds} seconds"
