"""Evaluations in the registry: how agents did, and the pass rate that one must have reached to call anything."""

import math

from mcp_guard.store.registry.book import Book, InvalidError, NotFoundError, Row, kept_text
from mcp_guard.store.registry.checks import check_agent

_COLUMNS = "id, agent, suite, pass_rate, recorded_at, recorded_by"
_LONGEST_SUITE = 200  # characters


def listed(book: Book, *, agent: str | None = None) -> list[Row]:
    """The evaluations, latest first."""
    found = book.rows(f"SELECT {_COLUMNS} FROM evals ORDER BY recorded_at DESC, id DESC")
    return [row for row in found if agent is None or row["agent"] == agent]


def record(book: Book, agent: str, pass_rate: float, suite: str) -> Row:
    """Write down how an agent did: the share of a suite that it passed, 0 to 1. Raises InvalidError."""
    check_agent(agent)
    _check_rate(pass_rate)
    if len(suite) > _LONGEST_SUITE:
        raise InvalidError(f"the name of the suite is longer than {_LONGEST_SUITE} characters")
    suite = kept_text(suite)
    eval_id = book.new_id()
    with book.changing() as change:
        change.insert(
            "evals",
            id=eval_id,
            agent=agent,
            suite=suite,
            pass_rate=pass_rate,
            recorded_at=change.at,
            recorded_by=book.actor,
        )
        change.tell("eval.recorded", agent, {"suite": suite, "pass_rate": pass_rate}, rule=eval_id)
    found = book.one(f"SELECT {_COLUMNS} FROM evals WHERE id = ?", (eval_id,))
    assert found is not None
    return found


def require(book: Book, agent: str, minimum: float | None) -> None:
    """Set the pass rate that an agent must have reached in its latest evaluation; None asks for none.

    Raises InvalidError, NotFoundError.
    """
    if minimum is not None:
        _check_rate(minimum)
    with book.changing() as change:
        if (
            change.execute(
                "UPDATE agents SET eval_minimum = ?, updated_at = ? WHERE slug = ?", (minimum, change.at, agent)
            )
            == 0
        ):
            hint = f"register it first: mcp-guard agents create {agent}"
            raise NotFoundError(f"there is no agent `{agent}`", hint)
        change.tell("eval.required", agent, {"minimum": minimum})


def _check_rate(rate: float) -> None:
    if not math.isfinite(rate) or not 0 <= rate <= 1:
        raise InvalidError(f"`{rate:.15g}` is no pass rate", "a share from 0 to 1, such as 0.93")
