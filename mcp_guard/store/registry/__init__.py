"""The registry: agents, instances, credentials, grants, overrides, budgets and evaluations, beside the audit log.

`tables` says what is kept, `snapshots` reads it for a decision, `spending` counts what budgets allow, `book` changes
it.
"""
