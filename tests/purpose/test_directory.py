"""The case directory in the store: what a file brings in, what is kept in memory, and what happens when it is gone."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.database import Database
from proxy.purpose.casefile import LINE_BYTES, CaseFileUnusable, Rejected, read_cases_file
from proxy.purpose.directory import StoredCases
from proxy.purpose.imports import BATCH
from proxy.purpose.purpose import Case, CaseDirectoryUnavailable
from proxy.purpose.standing import KINDS
from tests.purpose.conftest import NOW, ORI, STORE_KEY, case

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.purpose.conftest import Room

LINE: dict[str, Any] = {"number": "26-1", "kind": "incident", "agency": ORI, "opened_at": "2026-11-23T02:00:00Z"}


def write(path: Path, *lines: object) -> Path:
    """Write a JSONL file: objects as JSON, text as it is."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def read(path: Path) -> list[Case | Rejected]:
    """Return what each line of a file is."""
    return [found for _, found in read_cases_file(path, lambda _done, _total: None)]


async def test_a_case_is_found_by_its_number_in_any_dress(room: Room) -> None:
    """Looking up trims and ignores case; what is not there is None."""
    await room.cases(case("26-004217A"))

    assert await room.directory.look_up(" 26-004217a ") == case("26-004217A")
    assert await room.directory.look_up("26-004217") is None


async def test_what_another_process_changes_counts_at_the_next_look(room: Room) -> None:
    """A kept case is never older than the last commit: a closed case is closed for the next query."""
    await room.cases(case())
    assert await room.directory.look_up("26-004217") == case()

    await room.cases(case(closed_at=NOW, assigned=frozenset()))

    found = await room.directory.look_up("26-004217")
    assert found is not None
    assert (found.closed_at, found.assigned) == (NOW, frozenset())


async def test_a_number_that_was_unknown_is_found_once_it_is_there(room: Room) -> None:
    """That a case was not there is not remembered."""
    assert await room.directory.look_up("26-004217") is None

    await room.cases(case())

    assert await room.directory.look_up("26-004217") == case()


async def test_a_kept_case_is_answered_from_memory(room: Room) -> None:
    """The rows of the store are read once, as long as nothing changes there by its own doors."""
    await room.cases(case())
    await room.directory.look_up("26-004217")
    with sqlite3.connect(room.database.path) as meddler:
        meddler.execute("DELETE FROM cases")
    meddler.close()

    assert await room.directory.look_up("26-004217") == case()


class HeldDatabase(Database):
    """A store whose first transaction ends only when it is let go, after it has read."""

    def __init__(self, path: Path) -> None:
        """Hold the first transaction."""
        super().__init__(path)
        self.has_read, self.let_go = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection, and wait."""
        async with super().begin() as connection:
            yield connection
        if not self.has_read.is_set():
            self.has_read.set()
            await self.let_go.wait()


async def test_what_was_read_before_a_change_is_not_kept_after_it(room: Room) -> None:
    """A look that was overtaken by a change, which another look has seen, does not bring the old case back."""
    await room.cases(case(), case("26-2"))
    database = HeldDatabase(room.database.path)
    await database.open()
    directory = StoredCases(database, STORE_KEY)
    overtaken = asyncio.create_task(directory.look_up("26-004217"))
    await database.has_read.wait()

    await room.cases(case(closed_at=NOW))
    await directory.look_up("26-2")
    database.let_go.set()
    await overtaken

    assert await directory.look_up("26-004217") == case(closed_at=NOW)
    await database.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE cases SET assigned = '[\"badge-2\"]'",
        "UPDATE cases SET agency = 'MO0960000'",
        "UPDATE cases SET number = '26-2'",
        "UPDATE cases SET closed_at = NULL",
        "UPDATE case_parties SET parties = '[]'",
        "DELETE FROM case_parties",
    ],
)
async def test_nobody_is_put_on_a_case_by_a_row_in_the_store(room: Room, change: str) -> None:
    """What was not imported gives no standing: the case cannot be told until it is imported anew."""
    genuine = case(closed_at=NOW, parties=((("dob", "1970-01-02"), ("surname", "QUIMBY")),))
    await room.cases(genuine)
    with sqlite3.connect(room.database.path) as meddler:
        meddler.execute(change)
    meddler.close()

    with pytest.raises(CaseDirectoryUnavailable) as refused:
        await room.directory.look_up("26-2" if "26-2" in change else "26-004217")
    assert not refused.value.down

    await room.cases(genuine)
    assert await room.directory.look_up("26-004217") == genuine


async def test_memory_is_bounded(room: Room) -> None:
    """Only the last used are kept."""
    await room.cases(*(case(f"26-{number}") for number in range(5)))
    directory = StoredCases(room.database, STORE_KEY, most=2)
    for number in (0, 1, 0, 2):
        await directory.look_up(f"26-{number}")

    assert list(directory._kept) == ["26-0", "26-2"]


async def test_a_store_that_is_gone_is_no_unknown_case(room: Room) -> None:
    """When it cannot be told whether a case is there, the query is refused as such."""
    await room.database.close()

    with pytest.raises(CaseDirectoryUnavailable):
        await room.directory.look_up("26-004217")


async def test_a_damaged_row_is_no_case(room: Room) -> None:
    """A row that does not read as a case is not half believed."""
    await room.cases(case())
    with sqlite3.connect(room.database.path) as meddler:
        meddler.execute("UPDATE cases SET assigned = 'badge-1'")
    meddler.close()

    with pytest.raises(CaseDirectoryUnavailable):
        await room.directory.look_up("26-004217")


async def test_every_fact_of_a_line_is_kept(room: Room, tmp_path: Path) -> None:
    """CSV and JSONL say the same of a case, and the store gives it back whole."""
    full = LINE | {
        "number": " cad-26-1 ", "kind": "CAD", "agency": ORI.lower(), "closed_at": "2026-11-23T03:00:00+01:00", "code": "C",
        "summary": "Noise;  caller on\nthe line",
    }  # fmt: skip
    persons = {"assigned": ["badge-1", "badge-2"], "units": ["3a12", "12"], "dispatched": ["badge-3", "3A14", "unit:9"]}
    sheet = tmp_path / "cases.csv"
    with sheet.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([*full, *persons])
        writer.writerow([*full.values(), *("; ".join(each) for each in persons.values())])

    await room.import_file(sheet)
    found = await room.directory.look_up("CAD-26-1")
    again = await room.import_file(write(tmp_path / "cases.jsonl", full | persons))

    assert found == Case(
        number="CAD-26-1",
        kind="cad",
        agency=ORI,
        opened_at=NOW - timedelta(hours=1),
        closed_at=NOW - timedelta(hours=1),
        code="C",
        summary="Noise; caller on the line",
        assigned=frozenset({"badge-1", "badge-2"}),
        units=frozenset({"unit:3A12", "unit:12"}),
        dispatched=frozenset({"badge-3", "unit:3A14", "unit:9"}),
    )
    assert (again.added, again.changed, again.unchanged) == (0, 0, 1)


async def test_importing_twice_changes_nothing(room: Room, tmp_path: Path) -> None:
    """The second time all is as it was: no row, no event, and memory stays warm."""
    path = write(tmp_path / "cases.jsonl", *(LINE | {"number": f"26-{number}"} for number in range(BATCH + 7)))

    first = await room.import_file(path)
    generation = room.database.generation("cases")
    second = await room.import_file(path)

    assert (first.added, first.changed, first.unchanged, first.rejected) == (BATCH + 7, 0, 0, ())
    assert (second.added, second.changed, second.unchanged) == (0, 0, BATCH + 7)
    assert room.database.generation("cases") == generation == 2
    assert await room.queued() == ['{"added":500,"changed":0}', '{"added":7,"changed":0}']


async def test_a_bad_line_is_told_and_the_others_come_in(room: Room, tmp_path: Path) -> None:
    """Each rejected line is named with its number and reason; nothing of it is half done."""
    path = write(
        tmp_path / "cases.jsonl", LINE, LINE | {"number": "26-2", "kind": "incidnt"}, "", LINE | {"number": "26-3"}, "{"
    )

    imported = await room.import_file(path)

    assert (imported.added, [rejected.line for rejected in imported.rejected]) == (2, [2, 5])
    assert "did you mean 'incident'" in imported.rejected[0].reason
    assert await room.directory.look_up("26-2") is None
    assert await room.directory.look_up("26-3") is not None


async def test_two_lines_that_disagree_are_told(room: Room, tmp_path: Path) -> None:
    """Of one number the first line counts, in this import and in the next; saying the same twice is no mistake."""
    path = write(tmp_path / "cases.jsonl", LINE, LINE, LINE | {"kind": "case"})

    for _ in range(2):
        imported = await room.import_file(path)
        assert [(rejected.line, "line 1" in rejected.reason) for rejected in imported.rejected] == [(3, True)]
    found = await room.directory.look_up("26-1")
    assert found is not None
    assert found.kind == "incident"


async def test_no_file_takes_over_another_agency_s_case(room: Room, tmp_path: Path) -> None:
    """A number that belongs to another agency is rejected: whoever it names would gain standing there."""
    await room.cases(case("26-1"))

    imported = await room.import_file(
        write(tmp_path / "cases.jsonl", LINE | {"agency": "MO0480000", "assigned": ["badge-9"]}, LINE | {"number": "26-2"})
    )

    assert [rejected.line for rejected in imported.rejected] == [1]
    assert imported.added == 1
    assert await room.directory.look_up("26-1") == case("26-1")


async def test_progress_reaches_the_end(room: Room, tmp_path: Path) -> None:
    """The caller is told bytes read and bytes in all, to draw a bar of."""
    path = write(tmp_path / "cases.jsonl", LINE, LINE)
    steps: list[tuple[int, int]] = []

    await room.import_file(path, lambda done, total: steps.append((done, total)))

    assert steps[-1] == (path.stat().st_size, path.stat().st_size)
    assert steps == sorted(steps)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"number": ""}, "number is missing"),
        ({"number": "26-1; DROP"}, "number"),
        ({"number": None}, "number is missing"),
        ({"number": 26}, "number is not text"),
        ({"number": ["26-1"]}, "number is not text"),
        ({"kind": None}, "kind"),
        ({"agency": "MO095"}, "ORI"),
        ({"opened_at": None}, "opened_at is missing"),
        ({"opened_at": "2026-11-23 02:00"}, "offset"),
        ({"opened_at": "yesterday"}, "ISO 8601"),
        ({"opened_at": "0001-01-01T00:00:00+14:00"}, "ISO 8601"),
        ({"closed_at": "2026-11-22T00:00:00Z"}, "before"),
        ({"code": "no code"}, "code"),
        ({"summary": "x" * 501}, "summary"),
        ({"summary": "nul\0"}, "NUL"),
        ({"summary": "\ud800"}, "UTF-8"),
        ({"assigned": ["Badge 1"]}, "assigned"),
        ({"assigned": "Jane Doe"}, "assigned"),
        ({"assigned": {"badge-1": 1}}, "assigned is not text"),
        ({"assigned": [f"badge-{number}" for number in range(1001)]}, "more than"),
        ({"units": ["a/b/c"]}, "units"),
        ({"dispatched": ["unit:"]}, "dispatched"),
        ({"agencies": ORI}, "unknown key 'agencies'"),
    ],
)
def test_a_line_that_is_no_case_says_which_column(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """The reason names the column, and never a person."""
    [found] = read(write(tmp_path / "cases.jsonl", LINE | change))

    assert isinstance(found, Rejected)
    assert says in found.reason
    assert "Jane" not in found.reason


@pytest.mark.parametrize(
    "line",
    [
        '{"number": "26-1", "number": "26-2"}', "[]", "null", "26-1", "{}{}", "[" * 5000, '{"a": 1e999999}',
        '{"opened_at": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_a_line_of_json_that_is_no_object_is_rejected(tmp_path: Path, line: str) -> None:
    """Keys that are there twice, other values, nesting without end: one line is lost, not the file."""
    found = read(write(tmp_path / "cases.jsonl", line, LINE))

    assert isinstance(found[0], Rejected)
    assert isinstance(found[1], Case)


def test_a_line_of_csv_that_is_none_is_rejected(tmp_path: Path) -> None:
    """Cells too few or too many, bad quoting, bytes that are not UTF-8, a line without end: the others come in."""
    good = f"26-{{}},incident,{ORI},2026-11-23T02:00:00Z,ok".encode()
    path = tmp_path / "cases.csv"
    path.write_bytes(
        b"number,kind,agency,opened_at,summary\n" + b"\n".join([
            good.replace(b"{}", b"1"),
            b"26-2,incident",
            good.replace(b"{}", b"3") + b",more",
            good.replace(b"{}", b"4") + b"\xff",
            good.replace(b"{}", b"5").replace(b"ok", b'"a"b'),
            good.replace(b"{}", b"6").replace(b"ok", b"x" * LINE_BYTES),
            b"",
            b",,,,",
            good.replace(b"{}", b"7"),
            good.replace(b"{}", b"8").replace(b"ok", b'"never closed'),
        ])
    )  # fmt: skip

    found = list(read_cases_file(path, lambda _done, _total: None))

    assert [line for line, each in found if isinstance(each, Rejected)] == [3, 4, 5, 6, 7, 11]
    assert [each.number for _, each in found if isinstance(each, Case)] == ["26-1", "26-7"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("cases.xlsx", "", "csv or .jsonl"),
        ("cases.csv", "", "at least"),
        ("cases.csv", "number,kind,agency\n", "at least"),
        ("cases.csv", "number,kind,agency,opened_at,numbr\n", "did you mean 'number'"),
        ("cases.csv", "number,kind,agency,opened_at,number\n", "once"),
        ("cases.csv", '"number,kind\n', "not CSV"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_whole(tmp_path: Path, name: str, text: str, says: str) -> None:
    """A wrong header line would make every line mean something else."""
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(CaseFileUnusable, match=says):
        read(path)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """The reason is the operating system's."""
    with pytest.raises(CaseFileUnusable, match="No such file"):
        read(tmp_path / "none.csv")


NAMES = st.frozensets(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), max_size=3)
UNITS = st.frozensets(st.from_regex(r"unit:[A-Z0-9]{1,5}", fullmatch=True), max_size=3)
CASES = st.lists(
    st.builds(
        Case,
        number=st.from_regex(r"26-[0-9]{1,3}", fullmatch=True),
        kind=st.sampled_from(KINDS),
        agency=st.just(ORI),
        opened_at=st.just(NOW),
        closed_at=st.sampled_from([None, NOW]),
        code=st.sampled_from([None, "C"]),
        summary=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=("L", "N", "P")), max_size=20),
        assigned=NAMES,
        units=UNITS,
        dispatched=NAMES | UNITS,
    ),
    max_size=6,
    unique_by=lambda case: case.number,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES)
def test_what_is_written_is_what_is_read(tmp_path: Path, cases: Sequence[Case]) -> None:
    """A case exported to JSONL or CSV is the same case when it is read."""
    rows = [
        {
            "number": each.number, "kind": each.kind, "agency": each.agency, "opened_at": each.opened_at.isoformat(),
            "closed_at": each.closed_at.isoformat() if each.closed_at else None, "code": each.code, "summary": each.summary,
            "assigned": sorted(each.assigned), "units": sorted(each.units), "dispatched": sorted(each.dispatched),
        }
        for each in cases
    ]  # fmt: skip
    sheet = tmp_path / "cases.csv"
    with sheet.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0] if rows else ["number", "kind", "agency", "opened_at"])
        for row in rows:
            writer.writerow(["; ".join(cell) if isinstance(cell, list) else cell for cell in row.values()])

    assert read(write(tmp_path / "cases.jsonl", *rows)) == list(cases)
    assert read(sheet) == list(cases)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["cases.csv", "cases.jsonl"]), st.binary(max_size=400))
def test_no_bytes_break_an_import(tmp_path: Path, name: str, data: bytes) -> None:
    """Any bytes are cases, rejected lines, or a file that cannot be used."""
    path = tmp_path / name
    head = b"number,kind,agency,opened_at\n" if name.endswith("csv") else b""
    path.write_bytes(head + data)

    try:
        found = read(path)
    except CaseFileUnusable:
        found = []

    assert all(isinstance(each, (Case, Rejected)) for each in found)


async def test_the_parties_of_a_case_come_from_either_kind_of_file_and_stay(room: Room, tmp_path: Path) -> None:
    """Nobody, not told and somebody are three things; a second import changes nothing."""
    parties = [{"given_name": "Dana", "surname": "Hale", "dob": "1984-03-02", "phone": ["573-555-0101", "573-555-0102"]}]
    jsonl = write(
        tmp_path / "cases.jsonl",
        {**LINE, "parties": parties},
        {**LINE, "number": "26-2", "parties": []},
        {**LINE, "number": "26-3"},
    )
    with (tmp_path / "cases.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*LINE, "parties"])
        table.writerow([*(LINE | {"number": "26-4"}).values(), json.dumps(parties)])

    await room.import_file(jsonl)
    await room.import_file(tmp_path / "cases.csv")

    told = (
        ("dob", "1984-03-02"),
        ("given_name", "Dana"),
        ("phone", "573-555-0101"),
        ("phone", "573-555-0102"),
        ("surname", "Hale"),
    )
    found = [await room.directory.look_up(number) for number in ("26-1", "26-2", "26-3", "26-4")]
    assert [case and case.parties for case in found] == [(told,), (), None, (told,)]
    assert (await room.import_file(jsonl)).unchanged == 3


@pytest.mark.parametrize(
    ("parties", "says"),
    [
        ("Hale", "not a list"),
        ([{}] * 201, "not a list"),
        (["Hale"], "something else than objects"),
        ([{"surnam": "Hale"}], "did you mean 'surname'"),
        ([{"surname": 5}], "surname is not text"),
        ([{"surname": "x" * 201}], "longer than"),
        ([{"surname": "a\u0007b"}], "control character"),
    ],
)
def test_parties_that_are_none_reject_the_line_and_are_not_repeated(tmp_path: Path, parties: object, says: str) -> None:
    """The reason names the key, never the person."""
    (found,) = read(write(tmp_path / "cases.jsonl", {**LINE, "parties": parties}))

    assert isinstance(found, Rejected)
    assert says in found.reason
    assert "Hale" not in found.reason
