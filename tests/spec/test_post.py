"""A search by POST with a JSON body, from the terminal's socket to a records server that takes one."""

from __future__ import annotations

import shutil
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from proxy import main
from proxy.demo.home import Home, Ports, shipped_policies
from proxy.settings import load_settings
from tests.homes import settle
from tests.spec.conftest import STATEMENT, Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.demo.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUTE = """
  name-search:
    method: POST
    path: /search
    action: person.search
    body:
      who.last: {kind: surname, required: true}
      who.first: {kind: given_name, required: true}
      born: {kind: dob}
    forward:
      path: /rms/v2/search
      rename: {who.last: name.family, who.first: name.given, born: dob}
    records: $.hits[*].person
    fields:
      id: {kind: person_id, class: identifier}
      name: {kind: name, class: name}
      ssn: {kind: ssn, class: ssn}
    envelope: {total: drop, took: keep, hits.score: keep}
    most: 10
    absent: {status: 200, body: {took: 0, hits: []}}
"""


class Search:
    """The product before a server of our own making, with a journal of what it was asked."""

    def __init__(self, town: Town, url: str, keys: dict[str, str], client: aiohttp.ClientSession) -> None:
        """Start with an empty journal."""
        self.town = town
        self.journal: list[bytes] = []
        self.reply = b""
        self._url = url
        self._keys = keys
        self._client = client

    async def upstream(self, request: web.Request) -> web.Response:
        """Answer whatever is asked with what was prepared."""
        assert request.path == "/rms/v2/search"
        assert request.content_type == "application/json"
        self.journal.append(await request.read())
        return web.Response(body=self.reply, content_type="application/json")

    async def ask(self, role: str, body: bytes, **headers: str) -> Answer:
        """Send a search."""
        case = {"officer": "26-004217", "dispatcher": "CAD-26-118850"}[role]
        sent = {
            "Authorization": f"Bearer {self._keys[role]}",
            "Query-Purpose": f'code=C, case="{case}", statement="{STATEMENT}"',
            "Content-Type": "application/json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._client.post(f"{self._url}/search", data=body, headers=sent) as response:
            return Answer(response.status, dict(response.headers), await response.read())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Search]:
    """Start everything once for this module."""
    folder = tmp_path_factory.mktemp("post")
    policies = folder / "policies"
    shutil.copytree(shipped_policies(), policies)
    with (policies / "routes.yaml").open("a") as file:
        file.write(ROUTE)
    home = Home(folder / "home", policies)
    found: list[Search] = []
    application = web.Application()

    async def upstream(request: web.Request) -> web.Response:
        return await found[0].upstream(request)

    application.router.add_post("/{path:.*}", upstream)
    with home.held():
        town = await settle(home)
        async with AsyncExitStack() as stack:
            runner = web.AppRunner(application)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            home.write_config(Ports(terminals=0, console=0, ops=0, records=runner.addresses[0][1]), level="error")
            servers = await stack.enter_async_context(main.running(load_settings(home.config, {})))
            client = await stack.enter_async_context(aiohttp.ClientSession())
            found.append(Search(town, servers.terminals.url, dict(home.read_keys()), client))
            yield found[0]


@pytest.fixture
def search(running: Search) -> Search:
    """Return the running product with an empty journal."""
    running.journal.clear()
    running.reply = b'{"took": 1, "total": 0, "hits": []}'
    return running


def hit(identifier: str, name: str, ssn: str) -> dict[str, Any]:
    """Return one hit as the server has it."""
    return {"score": 1.50, "person": {"id": identifier, "name": name, "ssn": ssn}}


async def test_a_body_is_rebuilt_from_what_was_matched(search: Search) -> None:
    """What is forwarded is the canonical form under the server's own names, whatever the client's spelling."""
    answer = await search.ask("officer", b'{ "born":"1974-02-08", "who": {"first": "W\\u0061llace", "last": "Quimby"} }')

    assert answer.status == 200
    assert [orjson.loads(body) for body in search.journal] == [
        {"name": {"family": "Quimby", "given": "Wallace"}, "dob": "1974-02-08"}
    ]


async def test_a_protected_person_is_recognized_in_a_body(search: Search) -> None:
    """The mayor's name in a JSON body escalates, and nothing is asked of the server."""
    mayor = search.town.cast["mayor"]

    answer = await search.ask("officer", orjson.dumps({"who": {"first": mayor.given_name, "last": mayor.surname}}))

    assert answer.problem == "escalation-required"
    assert search.journal == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"who": {"first": "A", "last": "B", "last": "C"}}', "parameter-duplicate"),
        (b'{"who": {"first": "A", "last": "B"}, "who": {"first": "C", "last": "D"}}', "parameter-duplicate"),
        (b'{"who": {"first": "Ann", "last": "Doe"}, "limit": 1000}', "parameter-unknown"),
        (b'{"who": {"first": "Ann"}}', "parameter-invalid"),
        (b'[{"who": 1}]', "body-unreadable"),
        (b'{"who": {"first": "Ann", "last": "Doe"}} {}', "body-unreadable"),
        (b'{"who": {"first": "Ann", "last": ["Doe"]}}', "parameter-invalid"),
        (b"\xef\xbb\xbf{}", "body-unreadable"),
        (b'{"who": {"first": "\xff", "last": "Doe"}}', "body-unreadable"),
        (b"", "body-unreadable"),
    ],
)
async def test_a_body_with_two_readings_or_none_is_refused(search: Search, body: bytes, problem: str) -> None:
    """Nothing of it reaches the server."""
    answer = await search.ask("officer", body)

    assert (answer.problem or answer.status, search.journal) == (problem, [])


async def test_a_body_that_is_not_plain_json_is_refused(search: Search) -> None:
    """Another media type, and a coding, are not read."""
    body = b'{"who": {"first": "Ann", "last": "Doe"}}'

    form = await search.ask("officer", body, Content_Type="application/x-www-form-urlencoded")
    coded = await search.ask("officer", body, Content_Encoding="gzip")

    assert [form.status, coded.status, search.journal] == [415, 415, []]


async def test_records_deep_in_an_envelope_are_masked_where_they_stand(search: Search) -> None:
    """A dispatcher's answer loses the SSN and the total, and not a byte else; the mayor's hit is cut out."""
    mayor = search.town.cast["mayor"]
    search.reply = (
        b'{"took": 12345678901234567890123, "total": 2,\n "hits": [ {"score": 1.50, "person":'
        b' {"id": "700001", "name": "Ann Doe", "ssn": "666-00-0001"}}, '
        + orjson.dumps(hit(mayor.person_id, mayor.name, mayor.ssn))
        + b" ] }"
    )

    answer = await search.ask("dispatcher", b'{"who": {"first": "Ann", "last": "Doe"}}')

    assert answer.status == 200
    assert b'"took": 12345678901234567890123' in answer.body
    assert b'"score": 1.50' in answer.body
    assert b"total" not in answer.body
    assert mayor.person_id.encode() not in answer.body
    [only] = answer.json["hits"]
    assert only["person"]["id"] == "700001"
    assert only["person"]["ssn"] != "666-00-0001"


@pytest.mark.parametrize(
    "reply",
    [
        b'{"took": 1, "hits": [{"score": 1, "person": {"id": "1", "id": "2", "name": "A B", "ssn": "1"}}]}',
        b'{"took": 1, "hits": [], "next": "/more"}',
        b'{"took": NaN, "hits": []}',
        b'{"took": 1, "hits": {"person": 1}}',
        b"<html>",
    ],
)
async def test_a_reply_that_is_not_as_its_route_says_is_not_released(search: Search, reply: bytes) -> None:
    """Duplicate keys, unlisted members, what is no JSON, another shape: 502, and the entry is closed."""
    search.reply = reply

    answer = await search.ask("officer", b'{"who": {"first": "Ann", "last": "Doe"}}')

    assert answer.problem == "reply-unreadable"
    assert "instance" in answer.json
