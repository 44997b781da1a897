"""A records server that we did not write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.upstream.client import Upstream
    from proxy.upstream.reply import Reply
    from tests.upstream.conftest import World

    Query = Callable[[Upstream, str], Awaitable[Reply]]


async def test_a_person_is_read(world: World, datasette: str, query: Query) -> None:
    """A path parameter reaches the records server as the record's key."""
    answer = await query(await world.upstream(datasette), "/records/persons/100123")

    assert (answer.status, answer.media_type) == (200, "application/json")
    assert [person["surname"] for person in json.loads(answer.body)] == ["O'Brien"]


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/records/persons?surname=O'Brien&dob=1980-01-02", ["100123"]),
        ("/records/persons?surname=O%27Brien&dob=1980-01-02", ["100123"]),
        ("/records/persons?given_name=Zo%C3%AB&surname=Nobody", []),
        ("/records/persons?given_name=Zoe%CC%88&dob=1990-12-31&surname=M%c3%bcller", []),
    ],
)
async def test_a_search_finds_what_was_sought(
    world: World, datasette: str, query: Query, target: str, found: list[str]
) -> None:
    """Quotes, accents and normalization arrive as what was matched, and nothing else is found."""
    answer = await query(await world.upstream(datasette), target)

    assert [person["person_id"] for person in json.loads(answer.body)] == found


async def test_a_record_that_is_not_there_is_a_reply(world: World, datasette: str, query: Query) -> None:
    """404 is an answer, not a failure."""
    answer = await query(await world.upstream(datasette), "/records/persons/999999")

    assert answer.status == 404


async def test_a_connection_is_used_again(world: World, datasette: str, query: Query) -> None:
    """Fifty queries in a row all answer, over kept connections and chunked replies."""
    upstream = await world.upstream(datasette)

    answers = [await query(upstream, "/records/persons/100123") for _ in range(50)]

    assert {answer.body for answer in answers} == {answers[0].body}
    assert world.count("ok") == 50


async def test_a_server_that_is_there_passes_the_check(world: World, datasette: str) -> None:
    """A connection is all that is wanted of it."""
    upstream = await world.upstream(datasette)

    await upstream.check()

    assert world.metrics.registry.get_sample_value("showcause_upstream_up") == 1
