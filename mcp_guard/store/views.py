"""The views over the events as they are since prompts and resources are decided too: one row for each decision.

In `events` the column `tool` holds the name of a tool or prompt, or a resource's URI, and `type` says which of them; in
`decisions` each has a column of its own, so that a question about tools stays one about tools.
"""

_DECIDED = "('tool.decided', 'prompt.decided', 'resource.decided')"
_COMPLETED = "('tool.completed', 'prompt.completed', 'resource.completed')"

VIEWS = (
    "DROP VIEW decisions",
    f"""
    CREATE VIEW decisions AS
    WITH completed AS (
      SELECT CAST(json_extract(data, '$.decision') AS TEXT) AS decision_id, min(ts) AS ts,
             json_extract(data, '$.duration_us') AS duration_us,
             json_extract(data, '$.is_error') AS is_error,
             json_extract(data, '$.bytes') AS bytes
      FROM events WHERE type IN {_COMPLETED} GROUP BY 1
    )
    SELECT e.seq, e.id, e.ts, e.connection_id, e.agent, e.agent_verified, e.user, e.server,
           substr(e.type, 1, instr(e.type, '.') - 1) AS kind,
           CASE e.type WHEN 'tool.decided' THEN e.tool END AS tool,
           CASE e.type WHEN 'prompt.decided' THEN e.tool END AS prompt,
           CASE e.type WHEN 'resource.decided' THEN e.tool END AS resource,
           CASE e.type WHEN 'tool.decided' THEN 'tools/call' ELSE json_extract(e.data, '$.method') END AS method,
           e.decision, e.decided_by, e.rule, e.policy_hash,
           json_extract(e.data, '$.mode') AS mode,
           json_extract(e.data, '$.forwarded') AS forwarded,
           json_extract(e.data, '$.reason') AS reason,
           json_extract(e.data, '$.arguments') AS arguments,
           completed.ts AS completed_at, completed.duration_us, completed.is_error, completed.bytes
    FROM events AS e LEFT JOIN completed ON completed.decision_id = e.id
    WHERE e.type IN {_DECIDED}
    """,
    "DROP VIEW connections",
    f"""
    CREATE VIEW connections AS
    WITH counted AS (
      SELECT connection_id, min(seq) AS first_seq,
             min(CASE type WHEN 'agent.connected' THEN seq END) AS connected_seq,
             max(CASE type WHEN 'agent.connected' THEN seq END) AS introduced_seq,
             max(CASE type WHEN 'agent.disconnected' THEN ts END) AS disconnected_at,
             count(CASE type WHEN 'tool.decided' THEN 1 END) AS calls,
             count(CASE type WHEN 'prompt.decided' THEN 1 END) AS prompts,
             count(CASE type WHEN 'resource.decided' THEN 1 END) AS resources,
             count(CASE WHEN type IN {_DECIDED} AND decision <> 'allow' THEN 1 END) AS denied
      FROM events WHERE connection_id <> 'registry' GROUP BY connection_id
    )
    SELECT counted.connection_id, told.agent, told.agent_verified, told.user, told.server,
           json_extract(told.data, '$.client.name') AS client_name,
           json_extract(told.data, '$.client.version') AS client_version,
           json_extract(told.data, '$.protocol') AS protocol,
           began.ts AS connected_at, counted.disconnected_at,
           counted.calls, counted.prompts, counted.resources, counted.denied
    FROM counted
    JOIN events AS began ON began.seq = coalesce(counted.connected_seq, counted.first_seq)
    JOIN events AS told ON told.seq = coalesce(counted.introduced_seq, counted.first_seq)
    """,
)
