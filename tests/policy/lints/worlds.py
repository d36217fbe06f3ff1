"""The catalogs of real servers, and the ready policies."""

from functools import cache
from pathlib import Path

from mcp_guard.policy.catalog import Catalog, decode, merged

ROOT = Path(__file__).parents[3]
RECORDED = sorted((ROOT / "tests" / "catalogs").glob("*.json"))
POLICIES = sorted((ROOT / "policies").glob("*.yaml"))


@cache
def real_servers() -> Catalog:
    """What the recorded servers list, all together."""
    return merged(*(decode(path.read_bytes(), path=path.name, server=path.stem) for path in RECORDED))
