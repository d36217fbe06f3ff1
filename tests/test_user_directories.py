"""Where a user's directories are: where that is read here, it is what `platformdirs` says, and else it is asked."""

import subprocess
import sys
from collections.abc import Mapping

import platformdirs
import pytest

from mcp_guard import user_directories

ENVIRONMENTS: list[dict[str, str]] = [
    {"HOME": "/home/ann"},
    {"HOME": "/home/ann/"},
    {"HOME": "/home/ann bell"},
    {"HOME": "/"},
    {"HOME": ""},
    {"HOME": "ann"},
    {},
    {"HOME": "/home/ann", "XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config"},
    {"HOME": "/home/ann", "XDG_DATA_HOME": "/data/", "XDG_CONFIG_HOME": "/config//"},
    {"HOME": "/home/ann", "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""},
    {"HOME": "/home/ann", "XDG_DATA_HOME": " ", "XDG_CONFIG_HOME": "\t"},
    {"HOME": "/home/ann", "XDG_DATA_HOME": " /data ", "XDG_CONFIG_HOME": "/config "},
    {"HOME": "/home/ann", "XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "~/config"},
    {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config"},
    {"HOME": "/home/ann", "ANDROID_DATA": "/data", "ANDROID_ROOT": "/system"},
]


@pytest.fixture(params=ENVIRONMENTS, ids=str)
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "ANDROID_DATA", "ANDROID_ROOT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)
    return request.param


def test_they_are_where_this_system_has_them(environment: Mapping[str, str]) -> None:
    assert user_directories.data() == platformdirs.user_data_dir("mcp-guard", appauthor=False)
    assert user_directories.config() == platformdirs.user_config_dir("mcp-guard", appauthor=False)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
def test_nobody_need_be_asked_where_home_or_the_variables_say_it() -> None:
    program = (
        "import sys; from mcp_guard import user_directories\n"
        "print(user_directories.data(), user_directories.config(), 'platformdirs' in sys.modules)"
    )
    env = {"HOME": "/home/ann", "XDG_CONFIG_HOME": "/config"}
    line = [sys.executable, "-c", program]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "/home/ann/.local/share/mcp-guard /config/mcp-guard False\n"
