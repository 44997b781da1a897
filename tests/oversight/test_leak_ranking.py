"""The ranking of a leak trace: what it makes of sights, and that it names nobody where nothing tells them apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.oversight.leak.delay import Delay
from proxy.oversight.leak.published import Published, PublishedInvalid, Sight
from proxy.oversight.leak.ranking import Trace, Verdict, trace

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOME, PHONE, PLATE = "street:12 elm", "phone:5550100", "plate:abc123"


def item(
    number: int, mark: str, *, days: float = 0.0, about: str = "", within: float = 0.0, elsewhere: float = 0.05
) -> Published:
    """Return a thing that was published ``days`` after noon."""
    return Published(
        number=number,
        kind=mark.partition(":")[0],
        marks=frozenset({mark}),
        at=NOON + timedelta(days=days),
        within=timedelta(days=within),
        about=frozenset({about} if about else ()),
        elsewhere=elsewhere,
    )


def sight(officer: str, *marks: str, days: float = -1.0, masked: tuple[str, ...] = (), person: str = "person:1") -> Sight:
    """Return what an officer was shown ``days`` from noon."""
    return Sight(
        entry=int(days * 1000) + 100_000,
        at=NOON + timedelta(days=days),
        officer=officer,
        case="case",
        terminal="terminal",
        seen={mark.partition(":")[0]: mark for mark in marks},
        masked=frozenset(masked),
        persons=frozenset({person}),
    )


def order(found: Trace) -> list[str]:
    """Return the officers, the first first."""
    return [lead.officer for lead in found.leads]


def test_nobody_is_named_where_nobody_was_shown_it() -> None:
    """Neither a sight of something else nor one after the publication makes a lead."""
    found = trace([item(1, HOME)], [sight("a", PHONE), sight("b", HOME, days=0.1)])

    assert found.verdict is Verdict.NOBODY
    assert found.leads == ()
    assert found.outside == 1.0


def test_it_cannot_tell_where_fourteen_were_shown_the_same() -> None:
    """Fourteen officers on one day, one thing published: each has the same small share, and none stands out."""
    sights = [sight(f"officer-{number}", HOME, days=-1.0) for number in range(14)]

    found = trace([item(1, HOME)], sights)

    assert found.verdict is Verdict.CANNOT_TELL
    assert found.saw_all == 14
    assert [lead.alike for lead in found.leads] == [13] * 14
    assert max(lead.share for lead in found.leads) < 0.1


def test_several_leaks_tell_a_leaker_from_a_crowd() -> None:
    """Three people leaked at different times: forty officers saw each of them, one officer all three."""
    marks = [f"street:{number}" for number in range(3)]
    items = [item(number + 1, mark, days=number * 5.0, about=f"person:{number}") for number, mark in enumerate(marks)]
    crowd = [
        sight(f"{number}-{other}", mark, days=number * 5.0 - 1, person=f"person:{number}")
        for number, mark in enumerate(marks)
        for other in range(40)
    ]
    leaker = [sight("leaker", mark, days=number * 5.0 - 3, person=f"person:{number}") for number, mark in enumerate(marks)]

    found = trace(items, [*crowd, *leaker])

    assert order(found)[0] == "leaker"
    assert found.verdict is Verdict.ONE
    assert found.leads[0].items == {1, 2, 3}


def test_who_was_never_shown_a_part_of_it_comes_after_who_was_shown_all() -> None:
    """However late and often they looked: what they cannot have told, somebody else did."""
    sights = [sight("all", HOME, PHONE, days=-6), *(sight("half", HOME, days=-day / 4) for day in range(1, 9))]

    found = trace([item(1, HOME), item(2, PHONE)], sights)

    assert order(found) == ["all", "half"]
    assert found.saw_all == 1


def test_what_was_masked_for_an_officer_is_no_sight_of_it() -> None:
    """The telephone was masked in their record, so they are no lead for it, and the history names the entry."""
    masked = sight("masked", HOME, days=-0.5, masked=("phone",))

    found = trace([item(1, PHONE)], [masked, sight("shown", HOME, PHONE, days=-9)])

    assert order(found) == ["shown"]
    assert found.histories[1].hidden == {"masked": masked}


def test_an_old_value_dates_the_leak() -> None:
    """Who was shown only the value of after the move is no lead, and who knew of the move comes after who did not."""
    sights = [
        sight("before", "street:old", days=-20),
        sight("both", "street:old", days=-20),
        sight("both", "street:new", days=-5),
        sight("after", "street:new", days=-1),
    ]

    found = trace([item(1, "street:old")], sights)

    assert order(found) == ["before", "both"]
    assert found.histories[1].changed == NOON - timedelta(days=5)


def test_a_second_address_is_no_change() -> None:
    """A person who is listed at two addresses has not moved."""
    sights = [sight("a", "street:1", days=-9), sight("a", "street:2", days=-8), sight("b", "street:1", days=-7)]

    assert trace([item(1, "street:1")], sights).histories[1].changed is None


def test_two_officers_are_put_together_where_no_single_one_was_shown_all() -> None:
    """Plate from one, home and telephone from the other, twice: they are named as two, each with the pair's share."""
    sights = [
        sight("one", HOME, PHONE, days=-1.0),
        sight("other", PLATE, days=-1.2),
        sight("one", "street:2", days=2.0, person="person:2"),
        sight("other", "plate:2", days=2.5, person="person:2"),
        *(sight(f"{number}", HOME, days=-4.0) for number in range(5)),
    ]
    second = [item(4, "street:2", days=3.0), item(5, "plate:2", days=3.0)]

    found = trace([item(1, HOME), item(2, PHONE), item(3, PLATE), *second], sights)

    assert found.pairs[0].officers == ("one", "other")
    assert found.pairs[0].items == {1, 2, 3, 4, 5}
    assert found.verdict is Verdict.TWO_TOGETHER
    assert set(order(found)[:2]) == {"one", "other"}
    assert found.saw_all == 0


def test_a_decoy_does_not_hide_a_leaker_whom_nothing_else_hides() -> None:
    """Something that nobody was shown is published along with two things that one officer looked at the day before."""
    sights = [sight("leaker", HOME, PHONE, days=-1), *(sight(f"{number}", HOME, days=-12) for number in range(4))]

    found = trace([item(1, HOME), item(2, PHONE), item(3, "email:decoy")], sights)

    assert order(found)[0] == "leaker"
    assert found.saw_all == 0


def test_looking_up_others_hides_nothing() -> None:
    """Sixty look-ups of other people leave every share as it was."""
    sights = [sight("leaker", HOME, days=-1), sight("other", HOME, days=-3)]
    diluted = [
        sight("leaker", f"street:{number}", days=-1 - number / 60, person=f"person:{number + 2}") for number in range(60)
    ]

    assert trace([item(1, HOME)], [*sights, *diluted]).leads == trace([item(1, HOME)], sights).leads


def test_a_thing_that_may_be_known_from_elsewhere_counts_little_against_who_was_not_shown_it() -> None:
    """The same sights, and the same publication: only what is said of other sources differs."""
    sights = [sight("late", HOME, days=-1), sight("early", HOME, PHONE, days=-8)]

    surely = trace([item(1, HOME), item(2, PHONE)], sights)
    perhaps = trace([item(1, HOME), item(2, PHONE, elsewhere=0.7)], sights)

    assert order(surely)[0] == "early"
    assert order(perhaps)[0] == "late"


def test_a_sight_that_may_have_come_too_late_counts_in_part() -> None:
    """A thing that was noticed at noon and may have been out for three days: who looked an hour before is no better lead."""
    sights = [sight("an hour", HOME, days=-1 / 24), sight("four days", HOME, days=-4)]

    assert order(trace([item(1, HOME)], sights))[0] == "an hour"
    assert order(trace([item(1, HOME, within=3)], sights))[0] == "four days"


def test_a_record_about_somebody_else_counts_less() -> None:
    """An address that was published as one person's was also seen in the record of a neighbor."""
    sights = [sight("neighbor", HOME, days=-1, person="person:2"), sight("theirs", HOME, days=-1.5)]

    assert order(trace([item(1, HOME)], sights))[0] == "neighbor"
    assert order(trace([item(1, HOME, about="person:1")], sights))[0] == "theirs"


def test_the_delay_is_what_is_written_of_it() -> None:
    """Half of the leaks within three days, one in ten later than four weeks; nothing comes out before it was seen."""
    delay = Delay()
    came_out = {days: delay.density(days, within=days) * days for days in (3, 28)}

    assert came_out[3] == pytest.approx(0.5, abs=0.03)
    assert came_out[28] == pytest.approx(0.9, abs=0.01)
    assert delay.density(0.0) == 0.0
    assert delay.density(-1.0, within=3.0) == 0.0


@pytest.mark.parametrize(
    "changes",
    [{"marks": frozenset()}, {"at": datetime(2026, 11, 20, 12)}, {"within": timedelta(-1)}, {"elsewhere": 0.0}],  # noqa: DTZ001 -- the point
)
def test_a_thing_that_cannot_have_been_published_so_is_refused(changes: dict[str, object]) -> None:
    """No value, no zone, published after it was seen, no chance: each says which item."""
    facts = {"number": 3, "kind": "phone", "marks": frozenset({PHONE}), "at": NOON} | changes

    with pytest.raises(PublishedInvalid, match="item 3"):
        Published(**facts)  # type: ignore[arg-type]


SIGHTS = st.lists(
    st.builds(
        lambda officer, marks, days: sight(officer, *sorted(marks), days=days),
        st.sampled_from("abcde"),
        st.sets(st.sampled_from((HOME, PHONE, PLATE)), min_size=1),
        st.floats(-30, 1, allow_nan=False),
    ),
    max_size=12,
)


@given(SIGHTS, st.randoms(use_true_random=False))
def test_the_shares_are_one_whole_whatever_the_order(sights: list[Sight], chance: object) -> None:
    """Officers, pairs and the outside add up to one, and the order in which entries are read changes nothing."""
    items = [item(1, HOME), item(2, PHONE), item(3, PLATE, days=-2)]
    found = trace(items, sights)
    shuffled = list(sights)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    again = trace(items, shuffled)

    assert [(lead.officer, round(lead.share, 9)) for lead in again.leads] == [
        (lead.officer, round(lead.share, 9)) for lead in found.leads
    ]
    assert all(0 <= lead.share <= 1 for lead in found.leads)
    if not found.pairs:
        assert isclose(found.outside + sum(lead.share for lead in found.leads), 1.0)
