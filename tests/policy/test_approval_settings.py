"""What a policy says of approvals: where a person is asked, and how long a call waits."""

import pytest

from mcp_guard.policy import PolicyError, Source, load

RULES = "version: 1\nrules: [{id: a, effect: require_approval}]\nsettings: "


def settings(text: str):
    return load([Source("policy.yaml", (RULES + text).encode())]).settings


def test_a_person_is_asked_through_the_client_for_five_minutes_unless_the_policy_says_otherwise():
    assert (settings("{}").approvals, settings("{}").approval_timeout) == ("client", 300)
    given = settings("{approvals: store, approval_timeout: 60}")
    assert (given.approvals, given.approval_timeout) == ("store", 60)


@pytest.mark.parametrize("wrong", ["approvals: nobody", "approval_timeout: 0", "approval_timeout: 86401"])
def test_what_cannot_be_refuses_the_policy(wrong):
    with pytest.raises(PolicyError):
        settings("{" + wrong + "}")


@pytest.mark.parametrize("value", ["1.5", "true", "'60'", "[60]"])
def test_the_time_is_a_whole_number_of_seconds(value):
    with pytest.raises(PolicyError, match="a whole number within bounds expected"):
        settings(f"{{approval_timeout: {value}}}")
