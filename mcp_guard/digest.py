"""SHA-256 of a few kilobytes, from Python's own code.

`hashlib` loads OpenSSL as soon as it is imported: a tenth of a start, before anything else may begin. Whoever hashes
much, or later, imports that.
"""

from collections.abc import Iterable
from importlib import import_module

_OF_ITS_OWN = ("_sha2", "_sha256")  # since Python 3.12, and before


def sha256_hex(pieces: Iterable[bytes]) -> str:
    """SHA-256 over the pieces, one after another, in hex."""
    whole = b"".join(pieces)
    for name in _OF_ITS_OWN:
        try:
            return import_module(name).sha256(whole).hexdigest()
        except ImportError:  # it has another name here, or there is none
            continue
    from hashlib import sha256

    return sha256(whole).hexdigest()
