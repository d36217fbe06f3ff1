"""The hash of a policy is SHA-256, whichever code works it out."""

import hashlib
import sys

import pytest

from mcp_guard import digest

PIECES = [[], [b""], [b"a"], [b"a", b"b"], [b"\x00" * 1_000, "ä".encode()]]


@pytest.mark.parametrize("name", [digest._OF_ITS_OWN, "no_such_module"], ids=["Python's own", "OpenSSL's"])
@pytest.mark.parametrize("pieces", PIECES)
def test_it_is_sha_256_over_the_pieces_one_after_another(pieces, name, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digest, "_OF_ITS_OWN", name)
    assert digest.sha256_hex(iter(pieces)) == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_it_is_the_standard_library_whose_own_code_is_used():
    assert digest._OF_ITS_OWN in sys.stdlib_module_names
