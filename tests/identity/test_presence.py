"""A terminal may be shared; a person may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from proxy.identity.presence import Presence
from tests.identity.conftest import holder

if TYPE_CHECKING:
    from tests.identity.conftest import Office

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
WINDOW = timedelta(seconds=60)


def seconds(number: float) -> datetime:
    """Return a moment after the start."""
    return NOW + timedelta(seconds=number)


def test_one_person_at_two_terminals_within_the_window_is_noticed() -> None:
    """The notice names the person and both terminals, and how far apart they were."""
    presence = Presence(WINDOW)

    assert presence.seen("badge-1", "car-2", seconds(0)) == []
    [notice] = presence.seen("badge-1", "car-1", seconds(59))

    assert notice.terminals == ("car-1", "car-2")
    assert notice.facts() == {"apart_seconds": 59}
    assert ("officer", "badge-1") in set(notice.parties())
    assert "badge-1" not in str(notice.facts())


def test_changing_cars_is_not_noticed() -> None:
    """A window later it is another shift."""
    presence = Presence(WINDOW)
    presence.seen("badge-1", "car-1", seconds(0))

    assert presence.seen("badge-1", "car-2", seconds(60)) == []


def test_a_shared_terminal_is_not_noticed() -> None:
    """Two persons in one car are partners."""
    presence = Presence(WINDOW)
    presence.seen("badge-1", "car-1", seconds(0))

    assert presence.seen("badge-2", "car-1", seconds(1)) == []


def test_each_pair_is_noticed_once_in_a_window() -> None:
    """Ten queries a minute from two terminals are one notice a minute, and a third terminal is noticed against both."""
    presence = Presence(WINDOW)
    found = [presence.seen("badge-1", f"car-{tick % 2}", seconds(tick * 6)) for tick in range(10)]
    third = presence.seen("badge-1", "car-3", seconds(55))
    later = presence.seen("badge-1", "car-1", seconds(67))

    assert [len(notices) for notices in found] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert {notice.terminals for notice in third} == {("car-0", "car-3"), ("car-1", "car-3")}
    assert [notice.terminals for notice in later] == [("car-0", "car-1")]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 20)), max_size=60))
def test_notices_are_exactly_the_uses_that_are_close(steps: list[tuple[str, str, int]]) -> None:
    """A notice is only ever of two terminals of one person within the window; a first close use is never missed."""
    presence, at = Presence(timedelta(seconds=10)), 0
    uses: list[tuple[str, str, int]] = []
    pairs: set[tuple[str, frozenset[str]]] = set()
    for person, terminal, pause in steps:
        at += pause
        close = {other for who, other, when in uses if who == person and other != terminal and at - when < 10}
        notices = presence.seen(person, terminal, seconds(at))
        told = {(set(notice.terminals) - {terminal}).pop() for notice in notices}
        assert told <= close
        assert {other for other in close if (person, frozenset((other, terminal))) not in pairs} <= told
        pairs |= {(person, frozenset((other, terminal))) for other in told}
        uses.append((person, terminal, at))


async def test_the_service_keeps_notices_until_they_are_taken(office: Office) -> None:
    """A notice waits for whoever counts and records it, once."""
    first, _ = await office.desk.add_key(holder(terminal="car-1"))
    second, _ = await office.desk.add_key(holder(terminal="car-2"))
    for key in (first, second, first):
        office.identities.authenticate(f"Bearer {key}", (), office.now)

    [notice] = office.identities.take_notices()

    assert notice.terminals == ("car-1", "car-2")
    assert office.identities.take_notices() == []
