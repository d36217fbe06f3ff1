"""The registry's tables. Every change of what decisions hang on moves `registry.version`: triggers do, whoever it is.

A guard makes its decisions under one version, and its rows are only taken while that version stands (see
`store.store`): so a change is in force for the very next call of every guard on this file.
"""

_TABLES = (
    "CREATE TABLE registry (version INTEGER NOT NULL)",
    "INSERT INTO registry VALUES (1)",
    """
    CREATE TABLE agents (
      slug         TEXT PRIMARY KEY,
      name         TEXT NOT NULL DEFAULT '',
      description  TEXT NOT NULL DEFAULT '',
      owner        TEXT NOT NULL DEFAULT '',
      tags         TEXT NOT NULL DEFAULT '[]',      -- a JSON array of texts
      risk         TEXT NOT NULL DEFAULT 'medium',  -- low, medium, high, critical
      status       TEXT NOT NULL DEFAULT 'active',  -- active, quarantined, deleted
      reviewed     INTEGER NOT NULL DEFAULT 0,      -- 0: registered itself, and nobody has looked at it yet
      eval_minimum REAL,                            -- the pass rate that it needs; NULL: none
      created_at   TEXT NOT NULL,
      updated_at   TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE instances (
      id             TEXT PRIMARY KEY,  -- the connection's
      agent          TEXT NOT NULL,
      user           TEXT NOT NULL,
      server         TEXT NOT NULL,
      client_name    TEXT NOT NULL,
      client_version TEXT NOT NULL,
      host           TEXT NOT NULL,
      directory      TEXT NOT NULL,
      protocol       TEXT NOT NULL,
      transport      TEXT NOT NULL,
      first_seen     TEXT NOT NULL,
      last_seen      TEXT NOT NULL,
      ended_at       TEXT,
      disconnect     TEXT               -- why it is to end; NULL: it may stay
    )
    """,
    "CREATE INDEX instances_agent ON instances (agent)",
    """
    CREATE TABLE credentials (
      id         TEXT PRIMARY KEY,
      agent      TEXT NOT NULL,
      kind       TEXT NOT NULL DEFAULT 'key',  -- key: a virtual key; signed: a token that a signing key signed
      hash       TEXT NOT NULL UNIQUE,  -- of the key or token; itself is nowhere
      user       TEXT,           -- that a token proves as well
      signed_by  TEXT,           -- the signing key of a token
      created_at TEXT NOT NULL,
      created_by TEXT NOT NULL,
      expires_at TEXT,
      revoked_at TEXT
    )
    """,
    "CREATE INDEX credentials_agent ON credentials (agent)",
    """
    CREATE TABLE signing_keys (
      id         TEXT PRIMARY KEY,
      public     TEXT NOT NULL,  -- PEM
      created_at TEXT NOT NULL,
      retired_at TEXT            -- from then on nothing it signed is accepted
    )
    """,
    """
    CREATE TABLE issuers (
      issuer     TEXT PRIMARY KEY,
      id         TEXT NOT NULL UNIQUE,  -- new with each time that it is added
      settings   TEXT NOT NULL,  -- a JSON object: audience, where its keys are, which claims mean what
      created_at TEXT NOT NULL
    )
    """,
    # Tokens that were made elsewhere, by an issuer or with one of our signing keys, and are worth nothing any more.
    """
    CREATE TABLE revoked_tokens (
      issuer     TEXT NOT NULL,
      token      TEXT NOT NULL,  -- its `jti`
      revoked_at TEXT NOT NULL,
      PRIMARY KEY (issuer, token)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE grants (
      id         TEXT PRIMARY KEY,
      agent      TEXT NOT NULL,
      pattern    TEXT NOT NULL,
      effect     TEXT NOT NULL,  -- allow, deny, approve (a person's standing approval)
      granted_by TEXT NOT NULL,
      reason     TEXT NOT NULL DEFAULT '',
      granted_at TEXT NOT NULL,
      expires_at TEXT,
      UNIQUE (agent, pattern, effect)
    )
    """,
    """
    CREATE TABLE overrides (
      id         TEXT PRIMARY KEY,
      agent      TEXT,           -- NULL: every agent
      pattern    TEXT NOT NULL,
      effect     TEXT NOT NULL,  -- deny, require_approval
      brake      INTEGER NOT NULL DEFAULT 0,  -- 1: made by `stop`, about prompts and resources too
      reason     TEXT NOT NULL DEFAULT '',
      created_by TEXT NOT NULL,
      created_at TEXT NOT NULL,
      expires_at TEXT
    )
    """,
    "CREATE INDEX overrides_agent ON overrides (agent)",
    """
    CREATE TABLE budgets (
      id         TEXT PRIMARY KEY,
      agent      TEXT NOT NULL,
      window     TEXT NOT NULL,  -- minute, hour, day, month (UTC)
      unit       TEXT NOT NULL,  -- calls, usd
      amount     REAL NOT NULL,
      enforced   INTEGER NOT NULL DEFAULT 1,
      alerts     INTEGER NOT NULL DEFAULT 1,
      created_at TEXT NOT NULL,
      UNIQUE (agent, window, unit)
    )
    """,
    # What was spent in the window that began then (microseconds since the epoch). It moves with calls, and no version.
    """
    CREATE TABLE spending (
      agent   TEXT NOT NULL,
      window  TEXT NOT NULL,
      unit    TEXT NOT NULL,
      began   INTEGER NOT NULL,
      amount  REAL NOT NULL,
      alerted INTEGER NOT NULL DEFAULT 0,  -- the highest share (percent) that was told of
      PRIMARY KEY (agent, window, unit)
    ) WITHOUT ROWID
    """,
    # What models cost by what agents report of themselves: by the day (UTC); agent '' where nobody has proven to be it.
    """
    CREATE TABLE model_spending (
      agent TEXT NOT NULL,
      day   TEXT NOT NULL,
      model TEXT NOT NULL,
      usd   REAL NOT NULL,
      PRIMARY KEY (agent, day, model)
    ) WITHOUT ROWID
    """,
    # The last that was reported of each series (nanoseconds since the epoch), so that nothing is counted twice.
    """
    CREATE TABLE cost_series (
      agent  TEXT NOT NULL,
      series TEXT NOT NULL,
      began  INTEGER NOT NULL,
      at     INTEGER NOT NULL,
      amount REAL NOT NULL,
      PRIMARY KEY (agent, series)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE evals (
      id          TEXT PRIMARY KEY,
      agent       TEXT NOT NULL,
      suite       TEXT NOT NULL,
      pass_rate   REAL NOT NULL,
      recorded_at TEXT NOT NULL,
      recorded_by TEXT NOT NULL
    )
    """,
    "CREATE INDEX evals_agent ON evals (agent, recorded_at)",
    """
    CREATE TABLE approvals (
      id           TEXT PRIMARY KEY,
      connection_id TEXT NOT NULL,
      agent        TEXT NOT NULL,
      user         TEXT NOT NULL,
      server       TEXT NOT NULL,
      tool         TEXT NOT NULL,
      arguments    TEXT NOT NULL,  -- as the audit log may show them
      call_hash    TEXT NOT NULL,  -- keyed hash of what runs if it is approved: server, tool and arguments
      pattern      TEXT NOT NULL,  -- of a standing approval of this tool; empty where none can be given
      reason       TEXT NOT NULL,
      status       TEXT NOT NULL,  -- pending, approved, denied, withdrawn, expired
      scope        TEXT,           -- once, session, grant
      requested_at TEXT NOT NULL,
      expires_at   TEXT NOT NULL,
      decided_at   TEXT,
      decided_by   TEXT,
      decided_via  TEXT,           -- store (a command, the API), client (asked through it); NULL: nobody decided
      comment      TEXT NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX approvals_pending ON approvals (status) WHERE status = 'pending'",
)

_DECIDING = (
    "agents",
    "credentials",
    "signing_keys",
    "issuers",
    "revoked_tokens",
    "grants",
    "overrides",
    "budgets",
    "evals",
)
"""The tables that decisions hang on, whatever changes in them."""

_BUMP = "BEGIN UPDATE registry SET version = version + 1; END"

_TRIGGERS = (
    *(
        f"CREATE TRIGGER {table}_{change.lower()} AFTER {change} ON {table} {_BUMP}"
        for table in _DECIDING
        for change in ("INSERT", "UPDATE", "DELETE")
    ),
    f"CREATE TRIGGER instances_disconnect AFTER UPDATE OF disconnect ON instances {_BUMP}",
    # What was decided through the client, the guard that waits knows already.
    f"CREATE TRIGGER approvals_decided AFTER UPDATE OF status ON approvals WHEN NEW.decided_via = 'store' {_BUMP}",
)

APPROVED_METHODS = ("ALTER TABLE approvals ADD COLUMN method TEXT NOT NULL DEFAULT 'tools/call'",)
"""Since a person is asked about prompts and resources, too: `tool` is a prompt's name, or a resource's URI, then."""

REGISTRY = (*_TABLES, *_TRIGGERS)
"""The statements that make the registry."""
