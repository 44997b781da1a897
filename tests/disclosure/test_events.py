from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from proxy.audit.event import Party
from proxy.disclosure.events import Disclosed, Withheld
from proxy.policy.decision import Outcome

if TYPE_CHECKING:
    from proxy.disclosure.disclosure import Disclosure
    from tests.disclosure.conftest import World


def entry(disclosure: Disclosure, kind: type[Disclosed] = Disclosed) -> Disclosed:
    """Make the terminal entry of a query."""
    return kind(
        about="q1",
        disclosure=disclosure,
        officer="officer-7",
        case="26-004217",
        terminal="car-12",
        bytes_in=4096,
        duration_ms=3.25,
        upstream_ms=1.5,
        sha256=hashlib.sha256(disclosure.body).hexdigest(),
    )


async def test_the_entry_tells_what_left_by_which_rows(world: World) -> None:
    """Counts, classes, rows, categories, sizes, times and the digest of the body released."""
    world.rule("2", Outcome.MASK, "ssn")
    world.rule("3", Outcome.CONCEAL, category="undercover")
    world.rule("4", Outcome.CONCEAL, category="undercover")
    records = [{"person_id": str(number), "ssn": "123-45-6789"} for number in range(1, 5)]

    left = await world.disclose([*records, {"unknown": 1}])
    event = entry(left)

    assert event.facts() == {
        "outcome": "mask",
        "status": 200,
        "records": 2,
        "withheld": 3,
        "unjudged": 1,
        "masked": ("ssn",),
        "disclosed": ("identifier", "ssn"),
        "rules": {"row-conceal": 2, "row-mask": 1},
        "categories": {"judicial": 1, "undercover": 2},
        "met": 0,
        "notify": (),
        "bytes_in": 4096,
        "bytes_out": len(left.body),
        "duration_ms": 3.25,
        "upstream_ms": 1.5,
    }
    assert list(event.parties()) == [
        Party("officer", "officer-7"),
        Party("terminal", "car-12"),
        Party("case", "26-004217"),
        Party("subject", "entry-2"),
        Party("subject", "entry-3"),
        Party("subject", "entry-4"),
        Party("person_id", "1"),
        Party("person_id", "2"),
        Party("person_id", "3"),
        Party("person_id", "4"),
    ]


async def test_no_value_of_a_reply_lies_open_in_the_entry(world: World) -> None:
    """Facts hold closed words and numbers; identifiers are only parties, and what left is hashed in the sealed part only.

    In the open its hash would tell who has a copy of the records whose each answer was.
    """
    left = await world.disclose([{"person_id": "100123", "name": "Maria Garcia", "ssn": "123-45-6789"}])

    facts = json.dumps(entry(left).facts())
    digest = hashlib.sha256(left.body).hexdigest()
    assert entry(left).sealed()["sha256"] == digest
    assert digest not in facts

    assert not [value for value in ("100123", "Garcia", "6789", "officer-7", "26-004217", "car-12") if value in facts]


async def test_the_outcome_tells_the_four_ends_apart(world: World) -> None:
    """Permit, mask, withhold and absent are different in the log even where the terminal sees the same."""
    world.rule("2", Outcome.MASK, "ssn")
    world.rule("3", Outcome.CONCEAL)
    bodies = [[{"person_id": "1"}], [{"person_id": "2", "ssn": "1"}], [{"person_id": "3"}], []]

    outcomes = [entry(await world.disclose(body)).facts()["outcome"] for body in bodies]

    assert outcomes == ["permit", "mask", "withhold", "absent"]


async def test_the_kinds_are_those_of_terminal_entries(world: World) -> None:
    """The log tells a reply that left from one of which nothing did."""
    left = await world.disclose([])

    assert (entry(left).kind, entry(left, Withheld).kind) == ("disclosed", "withheld")
