"""Record what real MCP servers list: one catalog file a server, facts only.

    python examples/record_tools.py DIRECTORY [SLUG…]

Each server of the table is installed into DIRECTORY/.packages with npm or pip, started with made-up credentials (none
needs real ones to say what it can do), asked for its tools, and ended. What is kept is the names of tools and their
arguments, types, values and what is required; prose is left out. The files in tests/catalogs were made so, and
`mcp-guard policy check --catalog FILE` reads them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from mcp_guard.errors import GuardError
from mcp_guard.transports.survey import tools_of

PROSE = ("title", "description", "examples", "default", "example", "$comment", "markdownDescription")

SCOPE = "@modelcontextprotocol"
NPM = {  # slug: package, program, arguments, environment
    "brave-search": (
        f"{SCOPE}/server-brave-search",
        "mcp-server-brave-search",
        [],
        {"BRAVE_API_KEY": "x"},
    ),
    "chrome-devtools": ("chrome-devtools-mcp", "chrome-devtools-mcp", [], {}),
    "everything": (f"{SCOPE}/server-everything", "mcp-server-everything", [], {}),
    "filesystem": (f"{SCOPE}/server-filesystem", "mcp-server-filesystem", ["."], {}),
    "github": (f"{SCOPE}/server-github", "mcp-server-github", [], {}),
    "gitlab": (f"{SCOPE}/server-gitlab", "mcp-server-gitlab", [], {"GITLAB_PERSONAL_ACCESS_TOKEN": "x"}),
    "gmail": (
        "@gongrzhe/server-gmail-autoauth-mcp",
        "gmail-mcp",
        [],
        {"GMAIL_OAUTH_PATH": "keys.json", "GMAIL_CREDENTIALS_PATH": "credentials.json"},
    ),
    "google-maps": (
        f"{SCOPE}/server-google-maps",
        "mcp-server-google-maps",
        [],
        {"GOOGLE_MAPS_API_KEY": "x"},
    ),
    "kubernetes": ("mcp-server-kubernetes", "mcp-server-kubernetes", [], {}),
    "memory": (f"{SCOPE}/server-memory", "mcp-server-memory", [], {}),
    "notion": ("@notionhq/notion-mcp-server", "notion-mcp-server", [], {"NOTION_TOKEN": "x"}),
    "playwright": ("@playwright/mcp", "playwright-mcp", [], {}),
    "postgres": (f"{SCOPE}/server-postgres", "mcp-server-postgres", ["postgresql://localhost/x"], {}),
    "puppeteer": (f"{SCOPE}/server-puppeteer", "mcp-server-puppeteer", [], {}),
    "sentry": ("@sentry/mcp-server", "sentry-mcp", ["--access-token=x"], {}),
    "sequential-thinking": (
        f"{SCOPE}/server-sequential-thinking",
        "mcp-server-sequential-thinking",
        [],
        {},
    ),
    "slack": (
        f"{SCOPE}/server-slack",
        "mcp-server-slack",
        [],
        {"SLACK_BOT_TOKEN": "x", "SLACK_TEAM_ID": "x"},
    ),
    "tavily": ("tavily-mcp", "tavily-mcp", [], {"TAVILY_API_KEY": "x"}),
}
ATLASSIAN = {
    f"{product}_{name}": value
    for product, path in (("JIRA", ""), ("CONFLUENCE", "/wiki"))
    for name, value in (("URL", f"https://example.atlassian.net{path}"), ("USERNAME", "x"), ("API_TOKEN", "x"))
}
PYPI = {
    "atlassian": ("mcp-atlassian", "mcp-atlassian", [], ATLASSIAN),
    "duckduckgo": ("duckduckgo-mcp-server", "duckduckgo-mcp-server", [], {}),
    "fetch": ("mcp-server-fetch", "mcp-server-fetch", [], {}),
    "git": ("mcp-server-git", "mcp-server-git", [], {}),
    "time": ("mcp-server-time", "mcp-server-time", [], {}),
}
MADE_UP = {  # files that a server wants to see in its working directory
    "keys.json": {"installed": {"client_id": "x", "client_secret": "x", "redirect_uris": ["http://localhost"]}},
    "credentials.json": {},
}
QUIET = {"PUPPETEER_SKIP_DOWNLOAD": "1", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}


def main(directory: Path, slugs: list[str]) -> int:
    """Record the servers named, or all. Gives the exit status: 1 where one could not be recorded."""
    packages = directory / ".packages"
    packages.mkdir(parents=True, exist_ok=True)
    for name, content in MADE_UP.items():
        (packages / name).write_text(json.dumps(content))
    failed = False
    for slug in slugs or sorted({**NPM, **PYPI}):
        try:
            source, tools = record(slug, packages)
        except (GuardError, subprocess.CalledProcessError) as error:
            print(f"{slug}: {error}", file=sys.stderr)
            failed = True
            continue
        (directory / f"{slug}.json").write_text(catalog_file(slug, source, tools))
        print(f"{slug}: {len(tools)} tools of {source['package']} {source['version']}")
    return 1 if failed else 0


def record(slug: str, packages: Path) -> tuple[dict[str, str], list[object]]:
    """Install one server and ask it for its tools: where it came from, and what it lists."""
    install = npm if slug in NPM else pypi
    package, program, arguments, variables = NPM.get(slug) or PYPI[slug]
    path, version = install(package, program, packages)
    listed = tools_of([str(path), *arguments], env={**os.environ, **QUIET, **in_place(variables, packages)})
    registry = "npm" if slug in NPM else "PyPI"
    tools = [facts(json.loads(definition)) for _, definition in listed]
    return {"registry": registry, "package": package, "version": version}, tools


def catalog_file(slug: str, source: dict[str, str], tools: list[object]) -> str:
    """The text of a catalog file: a tool a line, so that a change of one tool is a change of one line."""
    lines = ",\n".join(json.dumps(tool, sort_keys=True) for tool in tools)
    return f'{{"recorded": {json.dumps(source)},\n "servers": {{{json.dumps(slug)}: {{"tools": [\n{lines}\n]}}}}}}\n'


def npm(package: str, program: str, packages: Path) -> tuple[Path, str]:
    """Install an npm package, without its scripts; gives its program and version."""
    home = packages / "npm"
    found = home / "node_modules" / package / "package.json"
    if not found.exists():
        command = ["npm", "install", "--prefix", str(home), "--ignore-scripts", "--no-audit", "--no-fund", package]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **QUIET})
    return (home / "node_modules" / ".bin" / program).absolute(), json.loads(found.read_text())["version"]


def pypi(package: str, program: str, packages: Path) -> tuple[Path, str]:
    """Install a PyPI package into an environment of its own; gives its program and version."""
    home = packages / package
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", package], check=True)
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    version = subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    return (home / "bin" / program).absolute(), version


def in_place(variables: dict[str, str], packages: Path) -> dict[str, str]:
    """The variables, with the paths of made-up files in full."""
    return {name: str((packages / text).absolute()) if text in MADE_UP else text for name, text in variables.items()}


def facts(tool: dict) -> dict:
    """A tool without prose: its name and its input schema."""
    return {"name": tool["name"], "inputSchema": without_prose(tool.get("inputSchema", {}))}


def without_prose(schema: object) -> object:
    """A schema without what is written for readers. An argument that happens to be called `description` stays."""
    if isinstance(schema, list):
        return [without_prose(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        word: {name: without_prose(part) for name, part in value.items()}
        if word in ("properties", "$defs", "definitions", "patternProperties") and isinstance(value, dict)
        else value
        if word in ("enum", "const", "required")
        else without_prose(value)
        for word, value in schema.items()
        if word not in PROSE
    }


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
