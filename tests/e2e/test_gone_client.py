"""A client that goes while the server does not read: the guard notices and ends the server, whatever is on its way."""

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.test_pressure import fill_up
from tests.e2e.wire import wire


@pytest.mark.timeout(60)
def test_the_guard_notices_that_its_client_is_gone_though_it_no_longer_reads_from_it(guard: Guard) -> None:
    with wire(guard.command(server("odd"))) as session:
        session.open("2025-11-25")
        fill_up(session)
        session.close_input()
        session.rest()
        assert session.wait() == 0
