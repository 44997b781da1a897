from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.__main__ import run
from proxy.document import DocumentInvalid
from proxy.policy.advice import review
from proxy.policy.cases import uncovered
from proxy.policy.decision import Facts, Outcome
from proxy.policy.edits import edits, loosening
from proxy.policy.gate import failed_cases, load_promises
from proxy.policy.lattice import ruling_of
from proxy.policy.service import PolicySet, load_policies
from proxy.policy.strictness import loosens
from proxy.policy.violations import violations
from tests.policy.conftest import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable

LAW = "mask, LAW-1, reader, person.read, operational, none, present, none, none, mask=photo, a law says so"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped policy."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "policies"))


@pytest.fixture
def with_law(folder: Path) -> Callable[[str], PolicySet]:
    """Return a loader of the shipped policy with an overlay of these rows."""

    def load(rows: str, named: str = "law") -> PolicySet:
        (folder / "overlays" / "law").mkdir(exist_ok=True)
        (folder / "overlays" / "law" / "policy.csv").write_text(rows + "\n")
        return load_policies(switched_on(folder, named))

    return load


def switched_on(folder: Path, *names: str) -> Path:
    """Switch overlays on."""
    (folder / "overlays.yaml").write_text(f"overlays: [{', '.join(names)}]\n")
    return folder


def test_the_shipped_overlays_hold_what_they_and_the_policy_promise(folder: Path) -> None:
    """All at once: every case, every invariant, no row without a case, no dead row; each one's cases with it alone."""
    loaded = load_policies(switched_on(folder, "dppa", "led"))
    promises = load_promises(loaded)

    assert set(promises.overlaid) == {"", "dppa", "led"}
    assert failed_cases(loaded, promises) == ()
    assert violations(promises.invariants, loaded.lattice) == ()
    assert uncovered(promises.cases, loaded.lattice) == ()
    assert review(loaded) == ()


def test_an_overlay_loosens_nothing(folder: Path) -> None:
    """Of every kind of question there is, none is ruled on more loosely with the shipped overlays than without."""
    alone = load_policies(folder)
    loaded = load_policies(switched_on(folder, "dppa", "led"))

    looser = [
        facts
        for facts in loaded.lattice.cells()
        if loosens(ruling_of(alone.lattice.matching(facts)), ruling_of(loaded.lattice.matching(facts)))
    ]

    assert looser == []


def test_an_overlay_s_row_decides_beside_the_policy_s_own(with_law: Callable[[str], PolicySet]) -> None:
    """The stricter holds, under the overlay's name, and what it obliges to is joined."""
    loaded = with_law(f"# a law\n{LAW}")
    facts = Facts("patrol", "person.read", "C", "none", "assigned", "none", "none")

    ruling = loaded.policy.rule(facts)

    assert (ruling.outcome, ruling.masked) == (Outcome.MASK, frozenset({"photo"}))
    assert [row.rule for row in loaded.lattice.matching(facts)] == ["LAW-1", "P01"]


@pytest.mark.parametrize(
    "row",
    [
        "mask, LAW-1, patrol, person.read, A, none, any, none, none, mask=ssn, opens",
        "escalate, LAW-1, patrol, vehicle.read, A, none, any, none, none, none, asks",
    ],
)
def test_a_row_that_would_open_anything_is_not_loaded(with_law: Callable[[str], PolicySet], row: str) -> None:
    """A mask or an escalation where the policy denies is an opening; it is told with a question that shows it."""
    with pytest.raises(DocumentInvalid) as caught:
        with_law(row)

    (mistake,) = caught.value.mistakes
    assert (mistake.file.parts[-2:], mistake.line) == (("law", "policy.csv"), 1)
    assert "LAW-1 loosens the policy, in its outcome" in mistake.message
    assert "it is deny, by default" in mistake.message


def test_a_row_that_would_silence_a_notice_is_not_loaded(with_law: Callable[[str], PolicySet]) -> None:
    """A deny in the place of an escalation that somebody is told of has somebody told as well."""
    escalate = "escalate, LAW-1, asker, query, operational, protected, present, none, none, {}, asks"
    deny = "deny, LAW-2, asker, query, operational, protected, present, none, none, {}, refuses"
    text = "\n".join((escalate.format("notify=supervisor/1h"), deny.format("none")))
    # Both rows are the overlay's own, so the policy alone is not loosened: its escalation told nobody.
    assert with_law(text).overlays == ("law",)

    folder = with_law(LAW).directory
    sheet = (folder / "policy.csv").read_text()
    row = next(line for line in sheet.splitlines() if line.startswith("escalate,  E01"))
    (folder / "policy.csv").write_text(
        sheet.replace(row, row.replace("none,      none,     exigent=", "none,      none,     notify=supervisor/1h; exigent="))
    )
    with pytest.raises(DocumentInvalid, match="LAW-2 loosens the policy, in its owed"):
        with_law(deny.format("none"))
    assert with_law(deny.format("notify=supervisor/15m")).overlays == ("law",)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("permit, LAW-1, patrol, person.read, C, none, present, none, none, none, opens", "does not begin with 'permit'"),
        ("g, auditor, reader", "does not begin with 'g'"),
        ("g2, witness, hidden", "does not begin with 'g2'"),
        (LAW.replace("LAW-1", "X1"), "rule X1 is of the overlay 'law'"),
        (LAW.replace("LAW-1", "P01"), "rule P01 is of the overlay 'law'"),
        (LAW.replace("none, present", "nobody, present"), "unknown category 'nobody'"),
        (f"{LAW}\n{LAW}", "rule LAW-1 stands already on line 1"),
        ("# nothing", "the file has no rows"),
    ],
)
def test_an_overlay_that_is_more_than_strict_rows_is_not_loaded(
    with_law: Callable[[str], PolicySet], rows: str, says: str
) -> None:
    """No permit, no word in a group, no name that is not its own, nothing misspelt."""
    with pytest.raises(DocumentInvalid) as caught:
        with_law(rows)

    assert any(says in mistake.message for mistake in caught.value.mistakes)


@pytest.mark.parametrize(
    ("named", "says"),
    [("lwa", "there is no overlay 'lwa'"), ("law, law", "the overlay 'law' is there twice"), ("../law", "String should match")],
)
def test_an_overlay_that_is_not_there_is_not_passed_over(with_law: Callable[..., PolicySet], named: str, says: str) -> None:
    """A law that one believed to be in force, and is not, is a mistake."""
    with pytest.raises(DocumentInvalid) as caught:
        with_law(LAW, named)

    assert any(says in mistake.message for mistake in caught.value.mistakes)


def test_an_overlay_is_part_of_the_version(with_law: Callable[[str, str], PolicySet]) -> None:
    """Whether it is switched on, and if so, its rows."""
    versions = {
        with_law(LAW, "").version,
        with_law(LAW, "law").version,
        with_law(LAW.replace("photo", "ssn"), "law").version,
        with_law(LAW.replace("photo", "ssn"), "").version,
    }

    assert len(versions) == 3


def test_to_switch_an_overlay_off_takes_a_second_person(folder: Path) -> None:
    """Switched on it loosens nothing, so one person does; switched off or thinned out, it does, and names what."""
    off, on = load_policies(folder), load_policies(switched_on(folder, "dppa"))
    rows = folder / "overlays" / "dppa" / "policy.csv"
    rows.write_text(rows.read_text().replace("mask=photo+ssn+health", "mask=photo+ssn"))
    thin = load_policies(folder)

    assert loosening(edits(off, on)) == ()
    assert {edit.file for edit in edits(off, on)} == {"policy.csv", "overlays.yaml", "overlays/dppa/policy.csv"}
    for looser in (off, thin):
        assert {edit.file for edit in loosening(edits(on, looser))} == {"policy.csv"}


def test_without_the_file_there_is_no_policy(folder: Path) -> None:
    """That the laws which hold were lost goes unnoticed by nobody."""
    (folder / "overlays.yaml").unlink()

    with pytest.raises(DocumentInvalid, match="a policy is all of these files"):
        load_policies(folder)


def test_the_commands_name_the_overlay_s_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``explain`` tells the row, and where it stands."""
    switched_on(folder, "dppa")

    asked = ("--role", "patrol", "--action", "vehicle.browse", "--purpose", "C", "--policies", str(folder))
    assert run(["explain", *asked]) == 0

    told = capsys.readouterr().out
    assert "overlays/dppa/policy.csv" in told
    assert "notice: supervisor within 1d" in told
