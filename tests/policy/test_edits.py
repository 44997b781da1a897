from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.policy.edits import COMPARED, edits, loosening, recognizing_loosens
from proxy.policy.service import FILES, load_policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.edits import Edit
    from proxy.policy.service import PolicySet

SHIPPED = Path(__file__).parents[2] / "policies"
ROUTE = """  mine:
    method: GET
    path: /mine
    action: person.read
    params: {surname: {kind: surname}, dob: {kind: dob}}
    require: [[surname, dob]]
    forward: {path: /records/persons.json, query: {_shape: array}}
    records: $[*]
    shape: person
    absent: {status: 200, body: []}
"""
"""A route that a folder may have more than the shipped one."""


@pytest.fixture(scope="module")
def shipped() -> PolicySet:
    """Return the shipped policy."""
    return load_policies(SHIPPED)


@pytest.fixture
def edited(tmp_path: Path, shipped: PolicySet) -> Callable[..., tuple[Edit, ...]]:
    """Return what an edit of one file changes: each pattern is replaced where it first stands, and has to be there."""

    def edit(file: str, *replacements: tuple[str, str], back: bool = False) -> tuple[Edit, ...]:
        folder = tmp_path / "edited"
        shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
        text = (folder / file).read_text("utf-8")
        for old, new in replacements:
            assert re.search(old, text, re.MULTILINE), old
            text = re.sub(old, new, text, count=1, flags=re.MULTILINE)
        (folder / file).write_text(text, "utf-8")
        after = load_policies(folder)
        return edits(after, shipped) if back else edits(shipped, after)

    return edit


STRICTER = [
    ("approvals.yaml", "each: 3", "each: 2"),
    ("approvals.yaml", "page: supervisor, within: 15m", "page: supervisor, within: 10m"),
    ("approvals.yaml", "told: roles", "told: nothing"),
    ("budgets.yaml", "queries: 900", "queries: 800"),
    ("budgets.yaml", "broad_counts: 3", "broad_counts: 4"),
    ("budgets.yaml", "most: 3", "most: 2"),
    ("budgets.yaml", "within: 1d", "within: 2d"),
    ("budgets.yaml", "one_in: 200", "one_in: 150"),
    ("budgets.yaml", "person.browse: 20", "person.browse: 10"),
    ("policy.csv", r"shows=name\+dob\+", "shows=name+"),
    ("policy.csv", "exigent=allowed/4h;", "exigent=allowed/2h;"),
    ("vocabulary.yaml", r"(?s)(^  victim:.*?group: )protected", r"\g<1>approvable"),  # of those, nobody is named
    ("recognition.yaml", r"^  bits: [\d.]+", "  bits: 9"),
    ("recognition.yaml", r"informant: \{bits: [\d.]+\}", "informant: {bits: 9}"),
    ("recognition.yaml", "^size: 500", "size: 1000"),
    ("recognition.yaml", r"(?s)(^relations:.*?bits: )[\d.]+", r"\g<1>9"),
    ("recognition.yaml", "name_alone_up_to: 2000", "name_alone_up_to: 100"),
    ("routes.yaml", "most: 25", "most: 20"),
    ("routes.yaml", "    action: vehicle.read", "    gate: local+witness\n    action: vehicle.read"),
    ("routes.yaml", "cut: 201", "cut: 150"),
    ("purposes.yaml", "closed_grace_days: 14", "closed_grace_days: 7"),
    ("purposes.yaml", r"accepts: \[incident, cad, case, warrant, docket\]", "accepts: [incident, cad, case, docket]"),
    ("purposes.yaml", r"standing: \[assigned, dispatched, unit\]", "standing: [assigned, dispatched]"),
    ("purposes.yaml", r"requires: \[requestor\]", "requires: [requestor, location]"),
]
"""Each of them tightens, and taken back, it loosens."""


@pytest.mark.parametrize(("file", "old", "new"), STRICTER)
def test_what_is_stricter_needs_nobody_and_what_takes_it_back_needs_two(
    edited: Callable[..., tuple[Edit, ...]], file: str, old: str, new: str
) -> None:
    """One number or word is moved to the strict side, and then, from there, back."""
    there, back = edited(file, (old, new)), edited(file, (old, new), back=True)

    assert there
    assert not loosening(there)
    assert loosening(back)
    assert {edit.file for edit in loosening(back)} <= {file, "policy.csv"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("approvals.yaml", "within: 30d", "within: 10d"),
        ("approvals.yaml", "page: supervisor", "page: auditor"),
        ("routes.yaml", "max_length: 40", "max_length: 50"),
        ("routes.yaml", "class: ssn", "class: phone"),
        ("routes.yaml", "surname: {kind: surname, class: name}", "surname: {class: name}"),
        ("routes.yaml", r"- \[ssn\]", "- [ssn]\n      - [city]"),
        ("routes.yaml", "least: 3", "least: 2"),
        ("routes.yaml", "    cut: 201\n", ""),
        ("fields.yaml", "  school:", "  college: {label: College, meaning: Where the person studies., mask: null}\n  school:"),
        ("purposes.yaml", "label: Criminal justice", "label: Justice"),
        ("purposes.yaml", "    requires: .requestor.\n", ""),
    ],
)
def test_what_is_not_shown_to_be_stricter_counts_as_looser(
    edited: Callable[..., tuple[Edit, ...]], file: str, old: str, new: str
) -> None:
    """It may be harmless; two persons say so, and not this program."""
    assert loosening(edited(file, (old, new)))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("approvals.yaml", "# Who has to agree", "# Who must agree"),
        ("budgets.yaml", "# a dispatcher", "# the dispatcher"),
        ("fields.yaml", "label: Telephone", "label: Phone"),
        ("fields.yaml", r'mask: "\*\*\*-\*\*-\*\*\*\*"', 'mask: "[masked]"'),
        ("policy.csv", "a supervisor has to agree", "a supervisor must agree"),
        ("purposes.yaml", "meaning: Official duties", "meaning: The official duties"),
        ("vocabulary.yaml", "patrol: Officer on the street", "patrol: Officer in the street"),
        ("routes.yaml", "# The route map", "# This is the route map"),
        ("recognition.yaml", "# How sure", "# By how much sure"),
        ("model.conf", "# What is asked", "# What's asked"),
        ("overlays.yaml", "# Which overlays", "# What overlays"),
    ],
)
def test_wording_changes_nothing(edited: Callable[..., tuple[Edit, ...]], file: str, old: str, new: str) -> None:
    """A comment, a meaning or a reason may be put better by whoever saves the file; it is told that nothing else changes."""
    found = edited(file, (old, new))

    assert [edit.file for edit in found] == [file]
    assert not loosening(found)


def test_a_stage_is_as_loose_as_the_rulings_of_the_rows_that_name_it(tmp_path: Path) -> None:
    """A lower rank, another agency, a stage less or its only seat: each is told of the row, and takes two people."""
    folder = tmp_path / "staged"
    shutil.copytree(SHIPPED, folder)
    sheet, stages = folder / "policy.csv", folder / "approvals.yaml"
    rows, said = sheet.read_text("utf-8"), stages.read_text("utf-8")
    row = re.search(r"^escalate,  E07,.*", rows, re.MULTILINE)
    assert row is not None
    staged = row[0].replace("stages=shift_supervisor+oversight", "stages=command+oversight")
    assert staged != row[0]
    rows = rows.replace(row[0], staged)
    sheet.write_text(rows, "utf-8")
    before = load_policies(folder)
    [loosened] = loosening(edits(before, load_policies(SHIPPED)))
    assert "demands" in loosened.what

    for old, new in (
        ("rank: lieutenant+", "rank: sergeant+"),
        ("roles: [auditor], agency: any", "roles: [auditor, supervisor], agency: any"),
    ):
        stages.write_text(said.replace(old, new), "utf-8")
        found = edits(before, load_policies(folder))
        assert [edit.file for edit in loosening(found)] == ["policy.csv"]
        assert "demands" in loosening(found)[0].what
        assert next(edit.what for edit in found if edit.file == "approvals.yaml").startswith("the stage ")
    stages.write_text(said, "utf-8")
    sheet.write_text(rows.replace("stages=command+oversight", "stages=command"), "utf-8")
    assert loosening(edits(before, load_policies(folder)))


def test_a_row_that_is_gone_is_told_by_the_questions_that_it_decided(edited: Callable[..., tuple[Edit, ...]]) -> None:
    """Without the row that hides informants they would be answered about otherwise; the row and a question are named."""
    found = loosening(edited("policy.csv", (r"^conceal,\s+H01,.*\n", "")))

    assert found
    assert found[0].file == "policy.csv"
    assert "conceal by H01 becomes" in found[0].what


def test_a_route_that_is_gone_is_stricter_and_a_new_one_is_looser(edited: Callable[..., tuple[Edit, ...]]) -> None:
    """No two routes can mean one request, so what one of them meant means nothing without it."""
    more = ("^routes:\n", f"routes:\n{ROUTE}")
    new, gone = edited("routes.yaml", more), edited("routes.yaml", more, back=True)

    assert [str(edit) for edit in new] == ["loosens  routes.yaml: a new route mine"]
    assert [str(edit) for edit in gone] == ["fine     routes.yaml: mine is gone"]


def test_an_overlay_that_is_switched_on_needs_nobody_and_switched_off_two(edited: Callable[..., tuple[Edit, ...]]) -> None:
    """It can only make the policy stricter, so that to be without it is looser; the rulings say by what."""
    on = ("^overlays: .*", "overlays: [dppa]")
    there, back = edited("overlays.yaml", on), edited("overlays.yaml", on, back=True)

    assert there
    assert not loosening(there)
    assert {edit.file for edit in loosening(back)} == {"policy.csv"}


def test_every_file_of_the_policy_is_compared() -> None:
    """A file that nobody compares counts as looser by every change, which would be a nuisance for one that is shipped."""
    assert set(COMPARED) == set(FILES)


def test_recognizing_more_people_lets_nothing_out(shipped: PolicySet) -> None:
    """Under the shipped rows no question is answered with more because somebody is recognized, so fewer bits are stricter."""
    assert recognizing_loosens(shipped.lattice) is None


def test_the_same_policy_has_no_edits(shipped: PolicySet) -> None:
    """Nothing is told of two policies of the same bytes."""
    assert edits(shipped, shipped) == ()


def test_a_member_that_nobody_compares_counts_as_looser(shipped: PolicySet) -> None:
    """Whatever is added to a policy later is looser by every change, until somebody says what would make it stricter."""
    other = replace(shipped, digests={**shipped.digests, "later.yaml": "another"})

    assert [str(edit) for edit in edits(shipped, other)] == [
        "loosens  later.yaml: changed, and nothing is known of what that loosens"
    ]
