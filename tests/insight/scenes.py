"""A small office: two agents, two servers, a policy, and what they did under it. Tests of reports share its log."""

from pathlib import Path

from tests.gate.playbook import tool
from tests.insight.recordings import NOON, Recording, record

HOUR = 3_600_000_000

OFFICE_POLICY = """\
version: 1
rules:
  - {id: protect-main, name: No agent writes to main, effect: deny, servers: github,
     tools: [create_pull_request, "merge_*"], when: 'request.args.base == "main"'}
  - {id: sandbox, name: Files stay in the project, effect: gated, tools: write_file,
     when: 'request.args.path.startsWith("/srv/app/")'}
  - {id: reads, name: Reading is free, effect: allow, tools: ["read_*", "get_*", "list_*"]}
  - {id: writes, name: Work on the forge, effect: allow, servers: github, tools: [create_pull_request, create_issue]}
  - {id: no-deleting, name: Nothing is deleted, effect: deny, status: draft, tools: "delete_*"}
"""
STRICTER_POLICY = OFFICE_POLICY.replace('"/srv/app/"', '"/srv/app/out/1"').replace('"read_*", ', "")

FORGE = [
    tool("get_issue", "owner", "repo", "issue_number"),
    tool("list_issues", "owner", "repo"),
    tool("create_issue", "title", "password"),
    tool("create_pull_request", "base", "head", "title"),
    tool("merge_pull_request", "number", "base"),
    tool("delete_repository", "name"),
]
FILES = [
    tool("read_file", "path"),
    tool("write_file", "path", "content"),
    tool("list_directory", "path"),
    tool("delete_file", "path"),
]


def at_the_forge(number: int, agent: str | None) -> Recording:
    talk = Recording(
        OFFICE_POLICY,
        FORGE,
        id=f"GH{number}",
        server="github",
        at=NOON + number * HOUR,
        agent=agent,
        user="kim@acme.com",
    )
    for issue in range(6):
        talk.call("get_issue", owner="acme", repo="app", issue_number=issue)
        talk.call(
            "create_pull_request", base="dev" if issue % 3 else "main", head=f"fix-{issue}", title=f"Fix bug {issue}"
        )
    talk.call("create_issue", title="Rotate the key", password="hunter2")
    return talk


def at_the_files() -> Recording:
    talk = Recording(OFFICE_POLICY, FILES, id="FS1", server="files", client="Cursor", user="ann@acme.com")
    for number in range(8):
        talk.call("read_file", path=f"/srv/app/src/mod{number % 3}/a{number}.py")
        talk.call("write_file", path=f"/srv/app/out/{number}.txt", content="x" * number)
    talk.call("read_file", path="/etc/passwd")
    talk.call("write_file", path="/etc/passwd", content="")
    talk.call("delete_file", path="/srv/app/x")
    return talk


def an_office(directory: Path) -> str:
    """The log of the office, and its policies beside it: `office.yaml`, `stricter.yaml`."""
    (directory / "office.yaml").write_text(OFFICE_POLICY)
    (directory / "stricter.yaml").write_text(STRICTER_POLICY)
    return record(directory / "audit.db", at_the_files(), at_the_forge(1, None), at_the_forge(2, "claude-code"))
