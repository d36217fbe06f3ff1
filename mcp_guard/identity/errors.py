"""What can be wrong with a credential. The texts say why, and hold nothing of the credential."""

from mcp_guard.errors import GuardError


class CredentialError(GuardError):
    """A credential that proves nothing."""


class KeysPendingError(GuardError):
    """It cannot be told yet what a credential proves: the keys of its issuer are being fetched."""
