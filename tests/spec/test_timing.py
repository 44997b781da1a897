"""How long an answer takes: nobody can tell by it whether a record is concealed or not there."""

from __future__ import annotations

import asyncio
import math
import random
import statistics
import time
from bisect import bisect_right
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.spec.conftest import Street

TRIES = 2000
ROUNDS = 3
UNLIKELY = 0.01
MEDIANS_APART = 0.001


def kolmogorov_smirnov(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the probability that two samples of one distribution lie as far apart as these (asymptotic, two-sided)."""
    ours, theirs = sorted(one), sorted(other)
    apart = max(
        abs(bisect_right(ours, value) / len(ours) - bisect_right(theirs, value) / len(theirs)) for value in (*ours, *theirs)
    )
    root = math.sqrt(len(ours) * len(theirs) / (len(ours) + len(theirs)))
    reach = (root + 0.12 + 0.11 / root) * apart
    if reach < 0.2:  # the series converges too slowly there, and is 1 to twelve digits
        return 1.0
    terms = (2.0 * (-1) ** (term - 1) * math.exp(-2 * (reach * term) ** 2) for term in range(1, 101))
    return min(1.0, max(0.0, math.fsum(terms)))


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the probability that neither of two samples of one distribution is larger than the other by as much (normal)."""
    theirs = sorted(other)
    greater = sum(bisect_right(theirs, value) for value in one)  # times of a clock: ties do not matter
    mean = len(one) * len(other) / 2
    deviation = math.sqrt(len(one) * len(other) * (len(one) + len(other) + 1) / 12)
    return math.erfc(abs(greater - mean) / deviation / math.sqrt(2))


@pytest.mark.parametrize("test", [kolmogorov_smirnov, mann_whitney])
def test_the_tests_can_tell_what_differs(test: Callable[[Sequence[float], Sequence[float]], float]) -> None:
    """Each test rejects a fifth of a deviation in 2,000 tries, and about as many equal samples as it says it does."""
    chance = random.Random(1)

    def sample(mean: float) -> list[float]:
        return [chance.gauss(mean, 1) for _ in range(TRIES // 2)]

    assert test(sample(0), sample(0.2)) < UNLIKELY
    assert sum(test(sample(0), sample(0)) < 0.1 for _ in range(100)) in range(2, 21)


class Connection:
    """One kept connection of a terminal, read and written as bytes, so that nothing else takes time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        """Take an open connection and the headers of every query."""
        self._reader = reader
        self._writer = writer
        self._head = head

    @classmethod
    async def open(cls, street: Street) -> Connection:
        """Connect as the officer."""
        reader, writer = await asyncio.open_connection(street.servers.terminals.host, street.servers.terminals.port)
        purpose = f'code=C, case="{street.case("stop")}", statement="stopped for no plates, driver has no licence on him"'
        return cls(
            reader,
            writer,
            f"Host: records\r\nAuthorization: Bearer {street.keys['officer']}\r\nQuery-Purpose: {purpose}\r\n\r\n",
        )

    async def ask(self, target: str) -> tuple[float, bytes]:
        """Return how long the answer took, and what it was but for its date and entry."""
        began = time.perf_counter()
        self._writer.write(f"GET {target} HTTP/1.1\r\n{self._head}".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = [line for line in head.split(b"\r\n") if not line.startswith((b"Date:", b"Audit-Entry:"))]
        length = next(int(line.partition(b":")[2]) for line in fields if line.startswith(b"Content-Length:"))
        body = await self._reader.readexactly(length)
        took = time.perf_counter() - began
        return took, b"\r\n".join(fields) + body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def sample(
    ask: Callable[[str], Awaitable[tuple[float, bytes]]], hidden: str, nobody: str
) -> tuple[list[float], list[float]]:
    """Ask for both in random order, half of the tries each; every answer is the same bytes."""
    order = [hidden, nobody] * (TRIES // 2)
    random.Random().shuffle(order)
    times: dict[str, list[float]] = {hidden: [], nobody: []}
    answers = set()
    for target in order:
        took, answer = await ask(target)
        times[target].append(took)
        answers.add(answer)
    assert len(answers) == 1
    return times[hidden], times[nobody]


async def compared(street: Street, hidden: str, nobody: str) -> list[tuple[float, float, float]]:
    """Compare two queries until nothing tells them apart; return each round's two probabilities and the medians' distance."""
    connection = await Connection.open(street)
    for _ in range(50):
        await connection.ask(nobody)
    found: list[tuple[float, float, float]] = []
    while len(found) < ROUNDS:
        ours, theirs = await sample(connection.ask, hidden, nobody)
        apart = statistics.median(ours) - statistics.median(theirs)
        found.append((kolmogorov_smirnov(ours, theirs), mann_whitney(ours, theirs), apart))
        if alike(found[-1]):
            break
    connection.close()
    return found


def alike(found: tuple[float, float, float]) -> bool:
    """Tell whether neither test rejects, each with half of the chance to be wrong, and the medians are together."""
    return min(found[:2]) > UNLIKELY / 2 and abs(found[2]) < MEDIANS_APART


@pytest.mark.timeout(1800)
@pytest.mark.asyncio(loop_scope="session")
async def test_no_two_sample_test_tells_a_concealed_record_from_none(street: Street) -> None:
    """2,000 answers on one connection, in random order: neither their distribution nor their order of size tells.

    So it is for a record by its number, and for a list that comes back empty. A busy machine may delay the one kind by chance,
    so it may be tried three times.
    """
    informant = street.town.cast["informant"]
    by_name = street.path("/records/persons", surname=informant.surname, dob=informant.dob.isoformat())
    nobody = street.path("/records/persons", surname=informant.surname, dob="1931-01-01")

    records, lists = await asyncio.gather(
        compared(street, f"/records/persons/{informant.person_id}", "/records/persons/999999"),
        compared(street, by_name, nobody),
    )

    assert alike(records[-1]), records
    assert alike(lists[-1]), lists
