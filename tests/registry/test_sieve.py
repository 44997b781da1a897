"""What was put into the sieve passes, and little else."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from proxy.registry.sieve import Sieve

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)


@given(put=st.lists(NUMBERS), asked=st.lists(NUMBERS, min_size=1))
def test_what_was_put_in_passes(put: list[int], asked: list[int]) -> None:
    """Every number that was put in passes, wherever it stands among others, and however many are asked for at once."""
    sieve = Sieve()
    sieve.put(put)

    together = [*asked, *put]
    assert set(range(len(asked), len(together))) <= set(sieve.passing(np.array(together, np.int64)))
    assert sieve.passing(np.empty(0, np.int64)) == []


def test_few_others_pass() -> None:
    """When as many are in as there is room for, one in thirty of the others passes at most."""
    chance = random.Random(3)
    sieve = Sieve(expected=200_000)
    sieve.put([chance.getrandbits(61) for _ in range(200_000)])

    passing = sieve.passing(np.array([chance.getrandbits(61) for _ in range(20_000)], np.int64))

    assert len(passing) < 20_000 / 30
