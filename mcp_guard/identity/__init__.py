"""Who somebody is, by a signed token (JWT): reading it, checking it against keys, and what its claims say.

Everything here is pure (keys, times and texts come in as values) but `key_sets`, which fetches an issuer's keys. Which
keys and issuers there are is the registry's to know (`store.registry`). What checks signatures (PyJWT) is imported when
a token is met, so nobody pays for it who uses none. The invariant: what a token claims is nowhere believed before its
signature was found to be that of a key which this registry trusts, by the one algorithm that the key is for.
"""

OWN = "mcp-guard"
"""What our own tokens claim as issuer and as audience. Whose they are in truth, their key says."""
