"""From a token and the keys of its issuer to who somebody is. The order: form, key, signature, and only then claims."""

from collections.abc import Iterable

from mcp_guard.identity.claims import Demands, Identity, check
from mcp_guard.identity.errors import CredentialError
from mcp_guard.identity.jws import Presented, check_signature
from mcp_guard.identity.keys import Key


def prove(presented: Presented, keys: Iterable[Key], demands: Demands, now: int) -> tuple[Identity, Key]:
    """Who a token proves somebody to be at `now` (microseconds since the epoch), and by which of its issuer's keys.

    Raises CredentialError.
    """
    key = _key_for(presented, tuple(keys))
    check_signature(presented, key)
    return check(presented.claims, demands, now), key


def _key_for(presented: Presented, keys: tuple[Key, ...]) -> Key:
    """The one key that a token can be signed with. A token must name it where there are several."""
    named = presented.key_id
    if named is None and len(keys) > 1:
        raise CredentialError("the token does not name its key (`kid`), and its issuer has several")
    found = keys if named is None else tuple(key for key in keys if key.id == named)
    if len(found) != 1:
        raise CredentialError("the token is signed with a key that is not known here, or not any more")
    return found[0]
