from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.document import DocumentInvalid
from proxy.registry.imports import import_personnel, import_registry
from proxy.registry.lines import ENTRY_KEYS, STAFF_KEYS, LineRefused, criteria, entry_line, staff_line
from proxy.registry.protection import Relation
from proxy.registry.tabular import read_csv, read_jsonl
from tests.registry.conftest import AGENCY, CATEGORIES, MAYOR, person

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.registry.enrollment import Report
    from tests.registry.conftest import Office

CSV = """given_name,surname,dob,phone,street,unit,city,category,household,basis,expires
Eleanor,Whitcombe,1961-03-09,212-555-0101;646-555-0102,12 Elm St;7 Oak Ave,3B;,Springfield,official,H1,Daniel's Law,2027-12-31
"Marsh, Jr.",Ruben,1960-01-02,,,,,,H1,,
Jo,Doe,1990-05-05,,,,,victim,,order 7,
"""


async def taken(office: Office, tmp_path: Path, text: str | bytes, name: str = "people.csv") -> Report:
    """Write a file and import it."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    report = await import_registry(office.registry, path, categories=CATEGORIES, by="steward", now=office.now)
    await office.registry.refresh()
    return report


async def test_a_csv_file_enrolls(office: Office, tmp_path: Path) -> None:
    """One person a line, lists by semicolon; a member of an enrolled household needs no category."""
    report = await taken(office, tmp_path, CSV)

    assert (report.added, report.rejected) == (3, [])
    assert office.roads(phone="646-555-0102") == {"phone"}
    assert office.roads(street="7 Oak Avenue", city="Springfield") == {"address"}
    assert office.roads(street="12 Elm St", unit="9") == set()


async def test_the_same_file_twice_changes_nothing(office: Office, tmp_path: Path) -> None:
    """An import can be repeated: nothing is enrolled twice, and no process is woken."""
    await taken(office, tmp_path, CSV)
    generation = office.database.generation("registry")

    again = await taken(office, tmp_path, CSV.replace("Eleanor,", "ELEANOR,").replace("ELEANOR,", "Eleanor,"))

    assert (again.added, again.updated, again.unchanged) == (0, 0, 3)
    assert office.database.generation("registry") == generation


async def test_an_import_never_lessens_protection(office: Office, tmp_path: Path) -> None:
    """A later line adds identifiers and prolongs; it takes nothing away, and a new name leaves the old one an alias."""
    await office.enroll({**MAYOR, "expires": "2027-01-01"})
    later = {
        "person_id": "100123",
        "given_name": "Eleanor",
        "surname": "Marsh",
        "phone": "+1 202 555 0111",
        "category": "official",
    }
    sooner = {**later, "expires": "2026-12-01"}

    report = await taken(office, tmp_path, "\n".join(json.dumps(each) for each in (sooner, later)), "people.jsonl")

    assert (report.added, report.updated) == (0, 2)
    (entry,) = await office.registry.entries()
    assert entry.expires is None
    assert office.roads(name="Eleanor Whitcombe") == office.roads(name="Eleanor Marsh") == {"name"}
    assert office.roads(phone=["+12025550111", "212-555-0101"]) == {"phone"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"category": "vip"}, "category is none of"),
        ({"category": "", "household": ""}, "category is missing"),
        ({"category": "", "household": "nobody's"}, "nobody of this household is enrolled"),
        ({"expires": "2026-11-01"}, "expires lies in the past"),
        ({"expires": "soon"}, "expires is not a date"),
        ({"expires": "2027-01-01T00:00:00"}, "no offset"),
        ({"surname": "x" * 300}, "surname is longer"),
        ({"surname": ["a", "b"]}, "one value only"),
        ({"surname": {"a": 1}}, "surname is not text"),
        ({"surname": True}, "surname is not text"),
        ({"surname": "Whit\ud800"}, "surname is not text"),
        ({"surnme": "x"}, "did you mean 'surname'"),
        ({"unit": ["1", "2"]}, "unit has more values than street"),
    ],
)
async def test_a_line_not_taken_says_why(office: Office, change: dict[str, Any], reason: str) -> None:
    """Every reason is told, without a value of the line in it."""
    raw = {**MAYOR, **change}
    try:
        line = entry_line(3, raw, categories=CATEGORIES, now=office.now)
    except LineRefused as refused:
        said = str(refused)
    else:
        report = await office.registry.enroll([line], by="steward")
        ((number, said),) = report.rejected
        assert number == 3

    assert reason in said
    assert not any(str(value) in said for value in ("Whitcombe", "518-22-4471", "xxx", "vip", "soon"))


async def test_a_line_that_would_recognize_nobody_is_not_taken(office: Office) -> None:
    """A surname alone, a street alone or a placeholder is no road to anybody."""
    for who in (
        {"surname": "Whitcombe"},
        {"given_name": "E", "dob": "1961-03-09"},
        {"street": "Elm St"},
        {"ssn": "000-00-0000"},
        {},
    ):
        with pytest.raises(LineRefused, match="nothing to recognize"):
            entry_line(1, {**who, "category": "official", "basis": "law"}, categories=CATEGORIES, now=office.now)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('"Ann', {2: "a quotation mark is not closed, or stands where none can; nothing of the lines to 5 is taken"}),
        ('"Ann"e', {2: "a quotation mark"}),
        (
            '"Ann,Lee,victim\nBob",Lee,victim\nEve',
            {2: "a value of several lines, where none can be; nothing of the lines to 3"},
        ),
        ("Ann,", {2: "4 values for 3 columns"}),
    ],
)
async def test_whom_an_open_quotation_mark_swallows_is_told(
    office: Office, tmp_path: Path, cell: str, said: dict[int, str]
) -> None:
    """The line where it stands is told, and up to which one nobody was taken."""
    lines = f"given_name,surname,category\n{cell},Lee,victim\nBo,Lee,victim\nCy,Lee,victim\nDi,Lee,victim\n"

    report = await taken(office, tmp_path, lines, "people.csv")

    assert [number for number, _ in report.rejected] == list(said)
    assert all(words in reasons for (_, reasons), words in zip(report.rejected, said.values(), strict=True))
    assert report.added == (0 if "lines to 5" in said[2] else 4 if "lines to 3" in said[2] else 3)


async def test_numbers_are_texts(office: Office) -> None:
    """A file that a spreadsheet or a table of numbers was made into has 42903.0 for a ZIP code; a fraction is no identifier."""
    await office.enroll({"given_name": "A", "surname": "Bee", "ssn": 518224471.0, "phone": 2125550143.0, "category": "victim"})

    assert office.roads(ssn=518224471) == office.roads(ssn=518224471.0) == office.roads(ssn="518224471.0") == {"ssn"}
    assert office.roads(phone="2125550143.0") == {"phone"}
    assert criteria({"postal_code": 42903.0, "street": None, "unit": ""}) == {"postal_code": ("42903",)}
    for other in (0.5, 1e300, True):
        with pytest.raises(LineRefused):
            criteria({"ssn": other})


async def test_what_was_not_understood_of_a_line_is_told(office: Office) -> None:
    """A line that is of use is taken; what of it recognizes nobody is noted."""
    line = entry_line(
        1,
        {"person_id": "7", "dob": "1961", "phone": ["555-0101", "212-555-0101"], "street": "Elm St", "category": "official"},
        categories=CATEGORIES,
        now=office.now,
    )

    assert len(line.notes) == 4


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("given_name,surnme\n", (1, 12), "column 2 of the header is unknown"),
        ("given_name,surname,surname\n", (1, 20), "there twice"),
        ("", (1, 1), "empty"),
        ("given_name\n" + "x" * 70_000, (2, 1), "a line of more than"),
    ],
)
async def test_a_file_that_is_none_is_refused_whole(
    office: Office, tmp_path: Path, text: str, place: tuple[int, int], message: str
) -> None:
    """An unknown column would silently leave somebody unprotected, so nothing of the file is taken."""
    with pytest.raises(DocumentInvalid) as caught:
        await taken(office, tmp_path, text)

    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.column) == place
    assert message in mistake.message


async def test_bad_lines_do_not_keep_good_ones_out(office: Office, tmp_path: Path) -> None:
    """Broken quotes, missing cells, bytes that are not UTF-8 and JSON that is none are told by line; the rest is enrolled."""
    good = b"Jo,Doe,1990-05-05,official\n"
    report = await taken(office, tmp_path, b"\xef\xbb\xbfgiven_name,surname,dob,category\nA\xff,Doe,,official\nA,B\n" + good)
    assert [number for number, _ in report.rejected] == [2, 3]
    assert report.added == 1

    lines = b'{"person_id": "1", "category": "official"}\nnot json\n[]\n\n{"person_id": 2, "category": "official"}\n'
    report = await taken(office, tmp_path, lines, "people.jsonl")
    assert [number for number, _ in report.rejected] == [2, 3]
    assert report.added == 2
    assert office.roads(person_id=2) == {"person_id"}


async def test_the_whole_directory_replaces(office: Office, tmp_path: Path) -> None:
    """With ``whole``, who is not in the file is removed; not when a line was not taken, which might have been theirs."""
    path = tmp_path / "staff.csv"
    header = "personnel,relation,agency,given_name,surname,dob,supervisor\n"
    me, wife = f"badge-1,,{AGENCY},Dana,Reyes,1988-07-01,\n", "badge-1,household,,Ana,Sol,1989-02-03,\n"
    path.write_text(header + me + wife)
    first = await import_personnel(office.registry, path, by="steward")
    path.write_text(header + me + "badge-8,family,,Leo,Reyes,,\n")
    kept = await import_personnel(office.registry, path, by="steward", whole=True)
    path.write_text(header + me + "BADGE 8,,,,,,\n")
    unread = await import_personnel(office.registry, path, by="steward", whole=True)
    path.write_text(header + me)
    replaced = await import_personnel(office.registry, path, by="steward", whole=True)
    await office.registry.refresh()

    assert (first.added, kept.removed, unread.removed) == (2, 0, 0)
    assert (replaced.unchanged, replaced.removed) == (1, 1)
    assert office.relations(person(), name="Ana Sol") == set()
    assert office.relations(person(), name="Dana Reyes") == {Relation.SELF}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3), max_leaves=6
)


@given(raw=st.dictionaries(st.sampled_from([*ENTRY_KEYS, *STAFF_KEYS, "x"]), JSON, max_size=8))
@settings(max_examples=200)
def test_no_line_makes_the_reader_fail(raw: dict[str, Any]) -> None:
    """A line is taken or refused with a reason, whatever it holds."""
    from datetime import UTC, datetime  # noqa: PLC0415 -- beside its only use

    now = datetime(2026, 11, 23, tzinfo=UTC)
    for reader in (
        lambda: entry_line(1, raw, categories=CATEGORIES, now=now),
        lambda: staff_line(1, raw),
        lambda: criteria(raw),
    ):
        try:
            taken_line: object = reader()
        except LineRefused as refused:
            taken_line = str(refused)
        assert taken_line or taken_line == {}


@given(text=st.text(max_size=200))
@settings(max_examples=200)
def test_no_text_makes_the_files_readers_fail(text: str) -> None:
    """CSV and JSON Lines of any content yield lines or reasons."""
    assert all(isinstance(raw, (dict, LineRefused)) for _, raw in read_jsonl(text.splitlines(keepends=True)))
    lines = ["given_name,surname\n", *text.splitlines(keepends=True)]
    assert all(isinstance(raw, (dict, LineRefused)) for _, raw in read_csv(lines, ENTRY_KEYS))


async def test_a_large_file_is_told_line_by_line(office: Office, tmp_path: Path) -> None:
    """Each line that is not taken is told with its number, and progress is heard of to the end."""
    path, read, wrote = tmp_path / "people.jsonl", list[int](), list[int]()
    path.write_text("".join(json.dumps(numbered(n)) + "\n" for n in range(1, 1201)))

    report = await import_registry(
        office.registry, path, categories=CATEGORIES, by="steward", now=office.now, read=read.append, wrote=wrote.append
    )

    assert [number for number, _ in report.rejected] == list(range(100, 1201, 100))
    assert (report.added, sum(wrote), sum(read)) == (1188, 1188, path.stat().st_size)
    assert len(wrote) == 5


async def test_memory_grows_with_the_file_and_no_faster(office: Office, tmp_path: Path) -> None:
    """Four times the lines take about four times the memory at most."""
    peaks = []
    for count in (100, 400):
        path = tmp_path / f"{count}.jsonl"
        path.write_text("".join(json.dumps(numbered(n) | {"person_id": f"{count}-{n}"}) + "\n" for n in range(1, count + 1)))
        tracemalloc.start()
        await import_registry(office.registry, path, categories=CATEGORIES, by="steward", now=office.now)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 8 * peaks[0]


def numbered(n: int) -> dict[str, str]:
    """Return a line of its own person; every hundredth is of a category that there is not."""
    name = "".join(chr(ord("a") + int(digit)) for digit in str(n))
    category = "victim" if n % 100 else "vip"
    return {
        "given_name": name,
        "surname": f"{name}son",
        "dob": f"19{n % 90 + 10}-05-05",
        "person_id": str(n),
        "category": category,
    }
