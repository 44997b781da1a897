"""``cases``: a file of cases into the store, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from tests.cli.conftest import Office

SHEET = """number,kind,agency,opened_at,closed_at,summary,assigned,units,dispatched
26-004217,incident,MO0950000,2026-11-20T08:00:00-06:00,,Stop,badge-1;badge-2,3A12,
CAD-26-1,cad,MO0950000,2026-11-21T08:00:00-06:00,,Noise at Jane Doe's,,,3A12 badge-3
26-004218,incidnt,MO0950000,2026-11-20T08:00:00-06:00,,,,,
"""


def cases(office: Office, *arguments: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error of ``cases …``."""
    return office.call("cases", *arguments, "--config", str(office.config))


def test_rejected_lines_are_told_and_are_found_something(office: Office) -> None:
    """Each with file, line and reason; the others are in, and a second time all is as it was."""
    sheet = office.folder / "cases.csv"
    sheet.write_text(SHEET)

    code, out, err = cases(office, "import", str(sheet))
    again = cases(office, "import", str(sheet), "--json")

    assert (code, out) == (1, "2 added, 0 changed, 0 as they were, 1 rejected\n")
    assert f"{sheet}:4: kind is none of" in err
    assert again[0] == 1
    assert orjson.loads(again[1]) | {"rejected": []} == {"added": 0, "changed": 0, "unchanged": 2, "rejected": []}


def test_a_file_without_a_mistake_is_done(office: Office) -> None:
    """Exit code zero is for nothing left to do."""
    sheet = office.folder / "cases.csv"
    sheet.write_text(SHEET.replace("incidnt", "incident"))

    assert cases(office, "import", str(sheet))[0] == 0


def test_a_file_that_cannot_be_used_is_wrong_use(office: Office) -> None:
    """Not there, of another kind, or with a header line that is not ours."""
    (office.folder / "cases.xlsx").touch()
    (office.folder / "cases.csv").write_text("number,kind,agency,opened\n")

    for name, says in (("none.csv", "No such file"), ("cases.xlsx", ".jsonl"), ("cases.csv", "did you mean 'opened_at'")):
        code, _, err = cases(office, "import", str(office.folder / name))
        assert (code, says in err) == (2, True), err


def test_the_list_shows_cases_without_what_happened_or_to_whom(office: Office) -> None:
    """Newest first, by kind or agency; summaries and persons stay in the store."""
    sheet = office.folder / "cases.csv"
    sheet.write_text(SHEET)
    cases(office, "import", str(sheet))

    code, out, _ = cases(office, "list")
    rows = orjson.loads(cases(office, "list", "--kind", "incident", "--agency", "mo0950000", "--json")[1])

    assert code == 0
    assert out.index("CAD-26-1") < out.index("26-004217")
    assert "Jane" not in out
    assert "badge" not in out
    assert [(row["number"], row["assigned"], row["units"]) for row in rows] == [("26-004217", 2, "3A12")]


def test_an_import_is_in_the_log(office: Office) -> None:
    """How many were added and changed, by whom: nobody gains standing unseen."""
    sheet = office.folder / "cases.csv"
    sheet.write_text(SHEET)
    cases(office, "import", str(sheet))

    assert "cases-imported" in office.call("audit", "tail", "--config", str(office.config))[1]
