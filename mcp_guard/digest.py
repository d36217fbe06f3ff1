"""SHA-256 of a few kilobytes, from Python's own code.

`hashlib` loads OpenSSL as soon as it is imported: a tenth of a start, before anything else may begin. Whoever hashes
much, or later, imports that.
"""

import sys
from collections.abc import Iterable
from importlib import import_module

_OF_ITS_OWN = "_sha2" if sys.version_info >= (3, 12) else "_sha256"  # the other one could be anybody's


def sha256_hex(pieces: Iterable[bytes]) -> str:
    """SHA-256 over the pieces, one after another, in hex."""
    whole = b"".join(pieces)
    try:
        return import_module(_OF_ITS_OWN).sha256(whole).hexdigest()
    except ImportError:  # a Python built without it
        from hashlib import sha256

        return sha256(whole).hexdigest()
