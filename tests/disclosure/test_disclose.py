from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from proxy.disclosure.disclosure import MOST_NAMED
from proxy.disclosure.service import TURN_RECORDS
from proxy.inquiry.inquiry import TooBroad
from proxy.inquiry.route import RecordsPath
from proxy.policy.decision import Outcome, Ruling
from proxy.registry.protection import Relation
from proxy.upstream.reply import ReplyUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.disclosure.judgement import Judgement
    from tests.disclosure.conftest import World

ABSENT = b'{"ok":false}'
WITHHELD = [Outcome.CONCEAL, Outcome.DENY, Outcome.ESCALATE]


def person(number: str = "100123", **more: object) -> dict[str, object]:
    """Return a record as the upstream holds it."""
    return {
        "person_id": number,
        "name": "Maria Garcia",
        "ssn": "123-45-6789",
        "phone": ["+15551234567", "+15557654321"],
        "home": {"street": "12 Elm Street", "city": "Springfield"},
        "height": 172,
        "photo": None,
        **more,
    }


async def test_an_ordinary_reply_leaves_as_it_came(world: World) -> None:
    """A record that policy permits is not touched, and the log learns what kind of data it held."""
    body = json.dumps([person()], indent=3).encode()

    left = await world.disclose(body)

    assert left.body is body
    assert (left.status, left.media_type, left.records, left.withheld) == (200, "application/json", 1, 0)
    assert left.disclosed == {"identifier", "name", "ssn", "phone", "home_address", "description"}
    assert (left.masked, left.judgements, left.subjects) == (frozenset(), (), ("100123",))


async def test_the_judge_is_given_every_identifier_by_kind(world: World) -> None:
    """Numbers are their text, arrays are several values, null and empty text are none, and what has no kind is not shown."""
    await world.disclose([person(number="", ssn=123456789, phone=["1", None, "", 2])])

    assert world.journal == [
        {
            "name": ["Maria Garcia"],
            "ssn": ["123456789"],
            "phone": ["1", "2"],
            "street": ["12 Elm Street"],
            "city": ["Springfield"],
        }
    ]


async def test_the_judge_is_given_what_a_screen_shows_and_the_terminal_what_came(world: World) -> None:
    """A name that was written for a page is judged as it reads there; the bytes that leave are those that came."""
    body = json.dumps([person(name="Sean O&#39;Brien", narrative=r"seen with\nSean O\u0027Brien")]).encode()

    left = await world.disclose(body)

    assert world.journal[0]["name"] == ["Sean O'Brien"]
    assert world.journal[0]["text"] == ["seen with Sean O'Brien"]
    assert left.body is body


async def test_masked_classes_are_replaced_and_told(world: World) -> None:
    """Text becomes the class's mask and anything else null; classes that the record does not hold are not called masked."""
    world.rule("2", Outcome.MASK, "phone", "home_address", "photo", "ssn")

    left = await world.disclose([person("1"), person("2", ssn=123456789)])

    assert json.loads(left.body) == [
        person("1"),
        person("2", ssn=None, phone=None, home={"street": "[address]", "city": "[address]"}),
    ]
    assert left.masked == {"phone", "home_address", "ssn"}
    assert [judgement.ruling.rule for judgement in left.judgements] == ["row-mask"]
    assert left.subjects == ("1", "2")


async def test_a_class_masked_everywhere_is_not_called_disclosed(world: World) -> None:
    """Disclosed are the classes of which something left."""
    world.default = Ruling(outcome=Outcome.MASK, rule="r", because="", masked=frozenset({"ssn"}))

    left = await world.disclose([person("1"), person("2")])

    assert left.masked == {"ssn"}
    assert left.disclosed == {"identifier", "name", "phone", "home_address", "description"}


@pytest.mark.parametrize("masked", [(), ("no_such_class",), ("ssn", "no_such_class")])
async def test_a_mask_that_cannot_be_put_on_withholds_the_record(world: World, masked: tuple[str, ...]) -> None:
    """An obligation that we do not understand voids the permit."""
    world.rule("2", Outcome.MASK, *masked)

    left = await world.disclose([person("1"), person("2")])

    assert json.loads(left.body) == [person("1")]
    assert left.withheld == 1


@pytest.mark.parametrize("outcome", WITHHELD)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_withheld_record_is_not_in_the_list(world: World, outcome: Outcome, place: int) -> None:
    """The list is that of an upstream without this record, and the log knows better."""
    world.rule("secret", outcome)
    records = [person("1"), person("2")]
    without = json.dumps(records).encode()
    records.insert(place, person("secret"))

    left = await world.disclose(records)

    assert left.body == without
    assert (left.records, left.withheld, left.unjudged) == (2, 1, 0)
    assert [judgement.ruling.outcome for judgement in left.judgements] == [outcome]
    assert "secret" not in left.subjects


@pytest.mark.parametrize("outcome", WITHHELD)
@pytest.mark.parametrize("single", [False, True])
async def test_concealed_and_not_there_are_the_same_bytes(world: World, outcome: Outcome, single: bool) -> None:
    """Nobody can tell a withheld record from an empty list, from a missing row, or from a withheld pair."""
    world.rule("secret", outcome)
    if single:
        world.records = RecordsPath(text="$")
    hidden = await world.disclose(person("secret") if single else [person("secret"), person("secret")])

    missing = await world.disclose({"ok": False, "error": "Record not found"}, status=404)

    assert (hidden.status, hidden.media_type, hidden.body) == (404, "application/json", ABSENT)
    assert (missing.status, missing.media_type, missing.body) == (hidden.status, hidden.media_type, hidden.body)
    if not single:
        empty = await world.disclose([])
        assert (empty.status, empty.media_type, empty.body) == (hidden.status, hidden.media_type, hidden.body)
    assert hidden.disclosed == frozenset()
    assert hidden.subjects == ()


@pytest.mark.parametrize(
    "record",
    [
        person(mistress="Jane Doe"),
        person(name={"first": "Maria"}),
        person(home="12 Elm Street"),
        person(home={"street": "12 Elm Street", "unit": "4"}),
        person(home=[{"street": "12 Elm Street"}]),
        person(height={"cm": 172}),
        person(height=[[172]]),
        person(height=[{"of": "Jane Doe"}]),
        person(phone=[["+15551234567"]]),
        person(phone=[{"n": "+15551234567"}]),
        person(person_id=True),
        person(person_id=100123.0),
        person(name="Maria \ud800Garcia"),
        person(phone=["\udfff"]),
        {},
        {"height": 172},
        {"phone": [None, ""], "height": 172},
        {"person_id": None, "name": "", "height": 172},
        None,
        "100123",
        100123,
        ["100123"],
        True,
    ],
)
async def test_a_record_that_is_not_as_declared_is_withheld(world: World, record: object) -> None:
    """What the route does not declare, or what could name somebody in another spelling, is judged by nobody and stays."""
    left = await world.disclose([record, person("1")])

    assert json.loads(left.body) == [person("1")]
    assert (left.withheld, left.unjudged) == (1, 1)
    assert len(world.journal) == 1


@pytest.mark.parametrize("number", ["1.00123e5", "100123.0", "1E5", "-0.0", "1" * 41])
async def test_an_identifier_in_an_ambiguous_number_is_withheld(world: World, number: str) -> None:
    """A float is not the identifier it equals, so it must not slip past one."""
    left = await world.disclose(b'[{"person_id":' + number.encode() + b"}]")

    assert left.body == ABSENT
    assert left.unjudged == 1


@pytest.mark.parametrize("field", ["name", "phone"])
async def test_an_identifier_longer_than_any_is_withheld(world: World, field: str) -> None:
    """What the registry does not read, since it is too long, is no stranger's: blanks behind a name do not hide it."""
    padded = "Eleanor Whitcombe".ljust(257)

    left = await world.disclose([person() | {field: value} for value in (padded, [padded], padded[:256])])

    assert (left.records, left.unjudged) == (1, 2)


async def test_free_text_is_judged_and_bounded(world: World) -> None:
    """A narrative goes to the judge as it is; one that is too long to be read for names is withheld with its record."""
    story = "Caller said:\r\n\ta black sedan stopped twice. ".ljust(4096, ".")

    left = await world.disclose([person("1") | {"narrative": text} for text in (story, [story], story + ".", [story + "."])])

    assert (left.records, left.unjudged) == (2, 2)
    assert [fields["text"] for fields in world.journal] == [[story], [story]]


async def test_free_text_alone_says_not_whom_a_record_is_about(world: World) -> None:
    """A record of which nothing but its narrative is known is judged by nobody, whoever it names."""
    left = await world.disclose([{"narrative": "Jane Doe was seen."}, person("1")])

    assert (left.records, left.unjudged) == (1, 1)


@pytest.mark.parametrize("text", ["100001\0", "\x1b100001", "100001\x7f", "\x0b100001"])
async def test_an_identifier_with_control_characters_is_withheld(world: World, text: str) -> None:
    """What another reader would cut or drop hides nobody; a line break in an address is none of these."""
    left = await world.disclose([person(text), person() | {"home": {"street": "12 Elm Street\r\n\tSpringfield"}}])

    assert (left.records, left.unjudged) == (1, 1)


async def test_a_record_that_cannot_be_judged_is_withheld(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that fails on one record does not let it out, nor keep the others in."""
    judge = world.judge

    def failing(kinds: Mapping[str, Sequence[str]]) -> Judgement:
        if kinds["person_id"] == ["2"]:
            raise ZeroDivisionError
        return judge(kinds)

    monkeypatch.setattr(world, "judge", failing)

    left = await world.disclose([person("1"), person("2")])

    assert json.loads(left.body) == [person("1")]
    assert left.unjudged == 1


async def test_a_permitted_record_of_somebody_protected_or_related_is_remembered(world: World) -> None:
    """An approved look at a protected person, or at a colleague, reaches the log with the row that let it."""
    world.rule("2", Outcome.PERMIT)
    world.relations |= {"3": Relation.COLLEAGUE, "4": Relation.NONE}

    left = await world.disclose([person("1"), person("2"), person("3"), person("4")])

    assert [judgement.ruling.rule for judgement in left.judgements] == ["row-permit", "ordinary"]


@pytest.mark.parametrize("strange", [{}, {"nobody": "declared this"}])
async def test_more_records_than_the_route_lets_out_are_too_broad(world: World, strange: dict[str, str]) -> None:
    """The bound is on what leaves or cannot be judged: one more refuses the whole reply."""
    world.most = 3
    await world.disclose([person() | strange] * 3)

    with pytest.raises(TooBroad):
        await world.disclose([person() | strange] * 4)


async def test_a_reply_that_may_have_been_cut_is_too_broad(world: World) -> None:
    """As many records as the records server sends at most may not be all: a list that lacks some is no answer."""
    world.most, world.cut = 3, 6
    world.rule("9", Outcome.CONCEAL, category="informant")
    await world.disclose([person("9")] * 5)

    with pytest.raises(TooBroad):
        await world.disclose([person("9")] * 6)


@pytest.mark.parametrize("outcome", [Outcome.CONCEAL, Outcome.ESCALATE, Outcome.DENY])
async def test_what_is_withheld_makes_no_search_too_broad(world: World, outcome: Outcome) -> None:
    """As many as the route lets out are answered though others match too; one more is too many with or without them."""
    world.most = 3
    world.rule("9", outcome, category="informant")
    hidden, three = person("9"), [person("1"), person("2"), person("3")]

    assert (await world.disclose([hidden, *three, hidden])).body == (await world.disclose(three)).body
    with pytest.raises(TooBroad):
        await world.disclose([hidden, *three, person("4")])


async def test_a_record_that_names_more_persons_than_an_entry_holds_is_too_broad(world: World) -> None:
    """Nobody is disclosed without being written down."""
    with pytest.raises(TooBroad):
        await world.disclose([person([str(number) for number in range(5000)])])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "media_type", ["text/csv", "text/html", "image/png", "text/event-stream", "application/x-ndjson", "", "application/json5"]
)
async def test_what_is_not_json_is_refused(world: World, media_type: str) -> None:
    """A route that names no opaque kind lets none out, whatever the ruling."""
    with pytest.raises(ReplyUnreadable):
        await world.disclose([person()], media_type=media_type)


@pytest.mark.parametrize("status", [201, 204, 206, 302, 500])
async def test_another_status_than_200_or_404_is_refused(world: World, status: int) -> None:
    """A fragment or a redirection is no reply."""
    with pytest.raises(ReplyUnreadable):
        await world.disclose([person()], status=status)


async def test_a_route_without_records_lets_nothing_out(world: World) -> None:
    """Where nobody said where the records lie, nobody can judge them."""
    world.records = None

    with pytest.raises(ReplyUnreadable):
        await world.disclose([person()])


async def test_an_opaque_reply_leaves_when_policy_permits_it_outright(world: World) -> None:
    """The ruling is on whom the inquiry is about, since nobody looks inside."""
    world.opaque = frozenset({"image/jpeg"})

    left = await world.disclose(b"\xff\xd8\xff", media_type="image/jpeg")

    assert (left.body, left.media_type, left.records) == (b"\xff\xd8\xff", "image/jpeg", 1)
    assert left.disclosed == {"opaque"}
    assert left.subjects == ("100123",)
    assert left.left[0].seen == {"opaque": f"photo:{hashlib.sha256(left.body).hexdigest()}"}
    assert world.journal == [{"person_id": ["100123"]}]


async def test_an_opaque_reply_that_would_need_a_mask_is_refused(world: World) -> None:
    """Nobody can mask what nobody can read."""
    world.opaque = frozenset({"image/jpeg"})
    world.rule("100123", Outcome.MASK, "photo")

    with pytest.raises(ReplyUnreadable):
        await world.disclose(b"\xff\xd8\xff", media_type="image/jpeg")


@pytest.mark.parametrize("outcome", WITHHELD)
async def test_an_opaque_reply_that_is_withheld_is_not_there(world: World, outcome: Outcome) -> None:
    """A concealed photo and a missing photo are the same bytes."""
    world.opaque = frozenset({"image/jpeg"})
    world.rule("100123", outcome)

    hidden = await world.disclose(b"\xff\xd8\xff", media_type="image/jpeg")
    missing = await world.disclose(b"", status=404, media_type="text/html")

    assert (hidden.status, hidden.media_type, hidden.body) == (missing.status, missing.media_type, missing.body)
    assert (hidden.records, hidden.withheld, hidden.disclosed) == (0, 1, frozenset())


@pytest.mark.parametrize("media_type", ["image/png", "application/json", "text/html"])
async def test_an_opaque_route_lets_out_only_the_kinds_it_names(world: World, media_type: str) -> None:
    """An opaque route is no way around inspection for other kinds."""
    world.opaque = frozenset({"image/jpeg"})

    with pytest.raises(ReplyUnreadable):
        await world.disclose([person()], media_type=media_type)


async def _turns_during(work: Any) -> int:
    """Count the turns that somebody else gets while ``work`` is done."""
    turns = 0
    task = asyncio.ensure_future(work)
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    await task
    return turns


async def test_a_thousand_records_let_others_have_their_turn(world: World) -> None:
    """After a bounded number of records the loop is handed back."""
    turns = await _turns_during(world.disclose([person(str(number)) for number in range(1000)]))

    assert turns >= 1000 // TURN_RECORDS


async def test_slow_records_let_others_have_their_turn_sooner(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded time the loop is handed back, however few records that were."""
    judge = world.judge

    def slow(kinds: Mapping[str, Sequence[str]]) -> Judgement:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.003:
            pass
        return judge(kinds)

    monkeypatch.setattr(world, "judge", slow)

    assert await _turns_during(world.disclose([person(str(number)) for number in range(6)])) >= 6


async def test_what_is_masked_or_withheld_is_not_named(world: World) -> None:
    """A query that the answer caused may only be about somebody whom the terminal can read in it."""
    world.rule("1", Outcome.PERMIT)
    world.rule("2", Outcome.MASK, "name", "home_address")
    world.rule("3", Outcome.MASK, "identifier")
    world.rule("4", Outcome.DENY)
    world.rule("5", Outcome.CONCEAL)
    records = [{"person_id": str(number), "name": f"Name {number}", "home": {"street": "1 Elm"}} for number in range(1, 6)]

    disclosure = await world.disclose(records)

    assert [{kind: list(values) for kind, values in record.items() if values} for record in disclosure.named] == [
        {"person_id": ["1"], "name": ["Name 1"], "street": ["1 Elm"]},
        {"person_id": ["2"]},
        {"name": ["Name 3"], "street": ["1 Elm"]},
    ]


async def test_no_more_is_named_than_tells_that_it_is_a_list(world: World) -> None:
    """A long answer costs no more memory than a short one."""
    disclosure = await world.disclose([{"person_id": str(number)} for number in range(100)])

    assert (disclosure.records, len(disclosure.named)) == (100, MOST_NAMED + 1)
