from __future__ import annotations

import pytest

from proxy.audit.owed import Duty, Owed
from proxy.gateway.asking import masking
from proxy.policy.decision import Outcome, Ruling

KNOWN = frozenset({"home_address", "phone", "ssn"})


def ruling(outcome: Outcome, *masked: str) -> Ruling:
    """Return what a row came to."""
    return Ruling(
        outcome=outcome,
        rule="X01",
        because="a row",
        masked=frozenset(masked),
        owed=(Owed(duty=Duty.NOTICE, role="supervisor"),),
    )


def test_a_permit_becomes_a_mask() -> None:
    """What policy lets out whole leaves without the classes that the registry protects; the row and its notices stay."""
    found = masking(ruling(Outcome.PERMIT), frozenset({"phone"}), known=KNOWN)

    assert (found.outcome, found.masked) == (Outcome.MASK, frozenset({"phone"}))
    assert (found.rule, found.notify) == ("X01", ("supervisor",))


def test_masks_are_joined() -> None:
    """Neither the row's mask nor the registry's is lost."""
    assert masking(ruling(Outcome.MASK, "ssn"), frozenset({"phone"}), known=KNOWN).masked == {"ssn", "phone"}


@pytest.mark.parametrize("outcome", [Outcome.CONCEAL, Outcome.DENY, Outcome.ESCALATE])
def test_nothing_is_made_less_strict(outcome: Outcome) -> None:
    """A ruling under which the record does not leave stays as it is, also towards a class nobody knows."""
    strict = ruling(outcome)

    assert masking(strict, frozenset({"phone", "nonsense"}), known=KNOWN) is strict


@pytest.mark.parametrize("outcome", [Outcome.PERMIT, Outcome.MASK])
def test_a_class_that_policy_does_not_have_cannot_be_masked_so_nothing_leaves(outcome: Outcome) -> None:
    """A protected class that was since renamed in fields.yaml denies the record, rather than letting it out unmasked."""
    found = masking(ruling(outcome, "ssn"), frozenset({"phone", "home_addr"}), known=KNOWN)

    assert found.outcome is Outcome.DENY
    assert "registry check" in found.because
