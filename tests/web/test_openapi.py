"""A route with a body answers as the door's own description says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.spec.conformance import exercise
from tests.web.conftest import PURPOSE

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.web.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_generated_bodies_are_answered_as_the_document_says(
    opened: Callable[..., AbstractAsyncContextManager[House]],
) -> None:
    """Bodies that fit the declared fields, some enough for a search and some not."""
    async with opened() as house:
        headers = {"Authorization": f"Bearer {house.key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.get(f"{house.door.url}/openapi.json") as response,
        ):
            document = await response.json()
        document["paths"] = {"/search/persons": document["paths"]["/search/persons"]}

        seen = await asyncio.to_thread(exercise, document, house.door.url, {**headers, "Query-Purpose": PURPOSE}, examples=12)

        assert seen["POST /search/persons"] >= {200, 403}
        assert len(house.records.journal) >= 1
