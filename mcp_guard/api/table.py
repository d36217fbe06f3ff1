"""The API as a table: what is at which path, what it takes and gives, and with which status it may refuse.

Requests are routed by it and the OpenAPI description is made from it, so that the two cannot differ.
"""

from mcp_guard.api import queries as q
from mcp_guard.api import values as v
from mcp_guard.api import work
from mcp_guard.api.routes import Route
from mcp_guard.api.work import away, because, one
from mcp_guard.store.registry import agents, approvals, budgets, credentials, grants, instances, overrides, profile

_A, _C, _I, _P, _O, _B, _Y = (
    "/api/agents",
    "/api/credentials",
    "/api/instances",
    "/api/permissions",
    "/api/overrides",
    "/api/budgets",
    "/api/approvals",
)

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("GET", _A, "List the agents", work.list_agents, v.Page[v.Agent], query=q.AgentsQuery),
    Route("POST", _A, "Register an agent, or a deleted one again", work.create_agent, v.Agent,
          takes=v.NewAgent, status=201, refuses=(409,)),
    Route("GET", f"{_A}/{{slug}}", "One agent", one(agents.get), v.Agent,
          refuses=(404,)),
    Route("PATCH", f"{_A}/{{slug}}", "Change what is said of an agent; it counts as reviewed from then on",
          work.update_agent, v.Agent, takes=v.AgentChange, refuses=(404,)),
    Route("DELETE", f"{_A}/{{slug}}", "Take an agent out of the registry; it stays for the record, and calls nothing",
          away(agents.delete), v.Agent,
          query=q.Why, refuses=(404, 409)),
    Route("POST", f"{_A}/{{slug}}/quarantine", "From the next call on, deny everything to an agent",
          because(agents.quarantine), v.Agent,
          takes=v.Because, refuses=(404, 409)),
    Route("POST", f"{_A}/{{slug}}/restore", "End a quarantine, or bring a deleted agent back",
          because(agents.restore), v.Agent,
          takes=v.Because, refuses=(404, 409)),
    Route("GET", f"{_A}/{{slug}}/profile", "One agent in full",
          one(profile.of), v.Profile, refuses=(404,)),
    Route("PUT", f"{_A}/{{slug}}/eval-minimum", "Set the pass rate that an agent must have reached",
          work.require_eval, v.Agent, takes=v.Minimum, refuses=(404,)),
    Route("POST", f"{_A}/{{slug}}/credentials", "Make a key of an agent, which is shown this once",
          work.issue_credential, v.IssuedCredential, takes=v.NewCredential, status=201, refuses=(404,)),

    Route("GET", _C, "List the keys, without the keys themselves", work.list_credentials, v.Page[v.Credential],
          query=q.OfAgent),
    Route("GET", f"{_C}/{{id}}", "One key", one(credentials.get), v.Credential,
          refuses=(404,)),
    Route("DELETE", f"{_C}/{{id}}", "Make a key worth nothing from the next call on",
          away(credentials.revoke), v.Credential,
          query=q.Why, refuses=(404, 409)),

    Route("GET", _I, "List the connected clients", work.list_instances, v.Page[v.Instance], query=q.Ended),
    Route("GET", f"{_I}/{{id}}", "One connected client", one(instances.get),
          v.Instance, refuses=(404,)),
    Route("POST", f"{_I}/{{id}}/disconnect", "End the connection of one client; others are untouched",
          because(instances.disconnect), v.Instance,
          takes=v.Because, refuses=(404, 409)),

    Route("GET", _P, "List the grants", work.list_permissions, v.Page[v.Permission], query=q.Expired),
    Route("POST", _P, "Grant tools to an agent, or forbid them", work.add_permission, v.Permission,
          takes=v.NewPermission, status=201, refuses=(409,)),
    Route("GET", f"{_P}/{{id}}", "One grant", one(grants.get), v.Permission,
          refuses=(404,)),
    Route("DELETE", f"{_P}/{{id}}", "Take a grant back",
          away(grants.revoke), v.Permission,
          query=q.Why, refuses=(404,)),

    Route("GET", _O, "List the overrides", work.list_overrides, v.Page[v.Override], query=q.Expired),
    Route("POST", _O, "Stop tools for now, or put them behind a person's approval", work.add_override, v.Override,
          takes=v.NewOverride, status=201),
    Route("GET", f"{_O}/{{id}}", "One override", one(overrides.get), v.Override,
          refuses=(404,)),
    Route("DELETE", f"{_O}/{{id}}", "Take an override away",
          away(overrides.remove), v.Override,
          query=q.Why, refuses=(404,)),
    Route("POST", "/api/stop", "The emergency brake: deny everything to one agent, or to all", work.stop, v.Override,
          takes=v.Stop, status=201),
    Route("POST", "/api/resume", "Release the brake; gives what was released", work.resume, list[v.Override],
          takes=v.Resume, refuses=(404,)),

    Route("GET", _B, "List the budgets, with what is spent of them", work.list_budgets, v.Page[v.Budget],
          query=q.OfAgent),
    Route("PUT", _B, "Set a budget, in the place of the one before", work.set_budget, v.Budget, takes=v.NewBudget),
    Route("GET", f"{_B}/{{id}}", "One budget", one(budgets.get), v.Budget,
          refuses=(404,)),
    Route("DELETE", f"{_B}/{{id}}", "Take a budget away",
          one(budgets.remove), v.Budget, refuses=(404,)),

    Route("GET", "/api/evals", "List the evaluations, latest first", work.list_evals, v.Page[v.Evaluation],
          query=q.OfAgent),
    Route("POST", "/api/evals", "Write down how an agent did", work.record_eval, v.Evaluation,
          takes=v.NewEvaluation, status=201),

    Route("GET", _Y, "List the calls that a person is, or was, asked about", work.list_approvals, v.Page[v.Approval],
          query=q.ApprovalsQuery),
    Route("GET", f"{_Y}/{{id}}", "One of them", one(approvals.get), v.Approval, refuses=(404,)),
    Route("POST", f"{_Y}/{{id}}/approve", "Let the call run that waits", work.approve, v.Approval,
          takes=v.Approve, refuses=(404, 409)),
    Route("POST", f"{_Y}/{{id}}/deny", "Deny the call that waits", work.deny, v.Approval,
          takes=v.Deny, refuses=(404, 409)),

    Route("GET", "/api/spending", "What models cost, by what agents report", work.list_spending, v.Page[v.Spending],
          query=q.SpendingQuery),
    Route("GET", "/api/tools", "The catalog of tools: what servers listed", work.list_tools, v.Page[v.Tool],
          query=q.ToolsQuery),
)
# fmt: on
