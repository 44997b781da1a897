"""``purposes.yaml``: the shipped one, what a jurisdiction changes, and every mistake with its place."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.document import DocumentInvalid
from proxy.purpose.catalogue import Reuse, load_catalogue
from proxy.purpose.purpose import Standing
from tests.purpose.conftest import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.purpose.catalogue import Catalogue

CODE = """
  C:
    label: Criminal justice
    meaning: Official duties.
    accepts: [incident, cad]
    standing: [unit, assigned]
    actions: [person.read, vehicle.read]
    permissible_use: 1
"""
VEHICLES = """
motor_vehicles:
  actions: [vehicle.read]
  permissible_uses: {1: A government agency.}
"""


def load(folder: Path, text: str) -> Catalogue:
    """Read a catalogue from a file with this text."""
    path = folder / "purposes.yaml"
    path.write_text(text)
    return load_catalogue(path)


def mistakes(folder: Path, text: str) -> list[str]:
    """Return the mistakes that reading the text tells, without their folder."""
    with pytest.raises(DocumentInvalid) as invalid:
        load(folder, text)
    return [str(mistake).replace(f"{folder}/", "") for mistake in invalid.value.mistakes]


def test_the_shipped_catalogue_holds_the_index_s_codes() -> None:
    """Every code of the index is there; those that no local agency may use say so; the rest is complete."""
    catalogue = load_catalogue(POLICIES / "purposes.yaml")

    assert set(catalogue.codes) == set("CDXFHIJSVAR")
    assert {code.name for code in catalogue.codes.values() if code.refused} == set("SVAR")
    assert catalogue.serving("vehicle.read") == ("C", "D")
    assert catalogue.serving("nothing.of.the.kind") == ()
    assert set(catalogue.permissible_uses) == set(range(1, 15))
    assert Standing.UNASSIGNED not in catalogue.codes["C"].standings
    assert Standing.UNASSIGNED in catalogue.codes["F"].standings
    assert catalogue.codes["F"].requires == ("requestor",)


def test_a_small_catalogue_is_enough(tmp_path: Path) -> None:
    """What is left out is the strict choice: a statement of three words, no grace, nothing derived."""
    catalogue = load(tmp_path, f"codes:{CODE}{VEHICLES}")
    code = catalogue.codes["C"]

    assert code.standings == (Standing.ASSIGNED, Standing.UNIT)
    assert (code.statement_required, code.statement_words, code.grace, code.requires) == (True, 3, timedelta(), ())
    assert catalogue.derivation is None
    assert catalogue.jurisdiction is None


def test_a_jurisdiction_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """Fields can be required or let off by code and for all codes; a code can be opened or closed."""
    catalogue = load(
        tmp_path,
        f"""codes:{CODE}
  R: {{label: Reserved, meaning: Of the FBI., refused: Reserved to the FBI.}}
  F: {{label: Firearms, meaning: Permits., accepts: [permit], standing: [unassigned], actions: [person.read]}}
{VEHICLES}
jurisdiction:
  name: A state
  every_code_requires: [location]
  codes:
    C: {{requires: [requestor], statement: {{required: false}}, closed_grace_days: 3}}
    F: {{refused: This state checks permits elsewhere.}}
    R: {{refused: null, accepts: [case], standing: [assigned], actions: [person.read]}}
""",
    )

    code = catalogue.codes["C"]
    assert catalogue.jurisdiction == "A state"
    assert code.requires == ("requestor", "location")
    assert (code.statement_required, code.grace) == (False, timedelta(days=3))
    assert (code.label, sorted(code.actions)) == ("Criminal justice", ["person.read", "vehicle.read"])
    assert catalogue.codes["F"].refused is not None
    assert catalogue.codes["R"].refused is None
    assert catalogue.codes["R"].requires == ("location",)
    assert catalogue.serving("person.read") == ("C", "R")


def test_motor_vehicle_data_needs_its_permissible_use(tmp_path: Path) -> None:
    """A code that serves a motor-vehicle action says under which paragraph of 18 USC 2721(b), or the file is refused."""
    [mistake] = mistakes(tmp_path, f"codes:{CODE}{VEHICLES}".replace("    permissible_use: 1\n", ""))

    assert mistake.startswith("purposes.yaml:7:14: code C serves vehicle.read without a permissible use")


def test_a_jurisdiction_cannot_take_the_permissible_use_away(tmp_path: Path) -> None:
    """The check holds for what results, not for what was written first."""
    overlay = "jurisdiction: {name: A state, codes: {C: {permissible_use: null}}}"
    [mistake] = mistakes(tmp_path, f"codes:{CODE}{VEHICLES}{overlay}")

    assert "without a permissible use" in mistake


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("codes: {}", "at least 1"),
        (f"codes:{CODE}", "permissible use 1 is not listed"),
        (f"codes:{CODE}{VEHICLES.replace('{1:', '{15:')}".replace("use: 1", "use: 15"), "(1) to (14)"),
        (f"codes:{CODE}{VEHICLES}".replace("[incident, cad]", "[incident, crd]"), "did you mean 'cad'"),
        (f"codes:{CODE}{VEHICLES}".replace("[unit, assigned]", "[anybody]"), "unassigned"),
        (f"codes:{CODE}{VEHICLES}".replace("[unit, assigned]", "[]"), "at least 1"),
        (f"codes:{CODE}{VEHICLES}".replace("    accepts: [incident, cad]\n", ""), "has no 'accepts'"),
        (f"codes:{CODE}{VEHICLES}".replace("standing:", "standings:"), "unknown key 'standings'"),
        (f"codes:{CODE}    statement: {{words: 0}}{VEHICLES}", "greater than or equal to 1"),
        (f"codes:{CODE}    closed_grace_days: -1{VEHICLES}", "greater than or equal to 0"),
        (f"codes:{CODE}    requires: [reason]{VEHICLES}", "requestor"),
        (f"codes:{CODE}{CODE}{VEHICLES}", "duplicate key"),
        (f"codes:{CODE}{VEHICLES}derived: {{kinds: [cad], code: Q}}", "code 'Q' cannot be used"),
        (f"codes:{CODE}{VEHICLES}derived: {{kinds: [docket], code: C}}", "does not accept every kind"),
        (f"codes:{CODE}{VEHICLES}jurisdiction: {{name: A state, codes: {{K: {{requires: []}}}}}}", "no code 'K' to change"),
        (f"codes:{CODE}{VEHICLES}".replace("C:", "'26':"), "pattern"),
        (f"codes:{CODE}    stale_if_error: ten minutes{VEHICLES}", "pattern"),
        (f"codes:{CODE}    stale_if_error: 61m{VEHICLES}", "after an hour"),
        (f"codes:{CODE}    subject_on_case: [person.raed]{VEHICLES}", "did you mean 'person.read'"),
        (
            f"codes:{CODE}{VEHICLES}officer_safety: {{codes: [D], actions: [person.read], review: 4h}}",
            "code 'D' cannot be used",
        ),
        (
            f"codes:{CODE}{VEHICLES}officer_safety: {{codes: [C], actions: [person.reed], review: 4h}}",
            "did you mean 'person.read'",
        ),
        (f"codes:{CODE}{VEHICLES}officer_safety: {{codes: [], actions: [person.read], review: 4h}}", "at least 1"),
        (f"codes:{CODE}{VEHICLES}officer_safety: {{codes: [C], actions: [person.read]}}", "'review' is missing"),
    ],
)
def test_each_mistake_is_told_where_it_stands(tmp_path: Path, text: str, says: str) -> None:
    """A catalogue that could serve nobody, or anybody, is not loaded."""
    found = mistakes(tmp_path, text)

    assert any(says in mistake for mistake in found), found
    assert all(mistake.startswith("purposes.yaml:") for mistake in found)


def test_prompts_and_reuse_of_all_codes_are_each_code_s_own_to_change(tmp_path: Path) -> None:
    """What a code does not say is taken from what all share; the jurisdiction has the last word."""
    catalogue = load(
        tmp_path,
        f"""codes:{CODE}    prompts: {{statement: What happened here?, case: Which case is it?}}
  F:
    label: Firearms
    meaning: Permits.
    accepts: [permit]
    standing: [unassigned]
    actions: [person.read]
    reuse: {{cases: 9, then: refuse}}
{VEHICLES}
prompts: {{case: Which case?, location: Where are you?}}
reuse: {{cases: 5}}
jurisdiction:
  name: Somewhere
  codes:
    C: {{prompts: {{statement: Say it in words.}}}}
""",
    )
    c, f = catalogue.codes["C"], catalogue.codes["F"]

    assert c.prompts == {"statement": "Say it in words.", "case": "Which case is it?", "location": "Where are you?"}
    assert f.prompts == {"case": "Which case?", "location": "Where are you?"}
    assert (c.reuse, f.reuse) == (Reuse(cases=5, refuses=False), Reuse(cases=9, refuses=True))


@pytest.mark.parametrize(
    "wrong", ["reuse: {cases: 0}", "reuse: {cases: 65}", "reuse: {cases: 5, then: ignore}", "prompts: {root: Which query?}"]
)
def test_a_prompt_or_a_rule_of_reuse_that_could_not_work_is_a_mistake(tmp_path: Path, wrong: str) -> None:
    """More cases than are counted, another consequence, a member that nobody fills in."""
    assert mistakes(tmp_path, f"codes:{CODE}{VEHICLES}{wrong}\n")
