"""The API of a running guard does what its OpenAPI description says, whatever it is asked (schemathesis)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.through import served

PATIENCE = 240  # seconds; it takes about 15 on a machine of its own
TOKEN = "security-token-of-the-house"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",  # its opposite would have every moment accepted, past ones too
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)


@pytest.mark.timeout(PATIENCE + 60)
def test_the_api_keeps_to_its_description(guard: Guard, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN} role=security\n")
    tokens.chmod(0o600)
    with served(guard, ["--", *server("patient")], "--token-file", str(tokens)) as url:
        program = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/openapi.json"]
        how = ["--phases", "examples,coverage,fuzzing", "--max-examples", "2", "--seed", "1", "--warnings", "off"]
        asked = [*program, *how, "--checks", ",".join(CHECKS), "--header", f"Authorization: Bearer {TOKEN}"]
        done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-5000:]
