"""``policies/recognition.yaml``: how much evidence is enough."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from proxy.__main__ import run
from proxy.document import DocumentInvalid
from proxy.policy.service import FILES
from proxy.registry.thresholds import LEAST_BITS, MOST_BITS, Thresholds, load_thresholds

SHIPPED = Path(__file__).parents[2] / "policies"
CATEGORIES = ("official", "informant", "victim")
GOOD = """\
size: 500
usual:
  bits: 14
categories:
  informant: {bits: 12}
relations:
  bits: 16
name_alone_up_to: 2000
"""


def written(tmp_path: Path, text: str) -> Path:
    """Write the file."""
    path = tmp_path / "recognition.yaml"
    path.write_text(text)
    return path


def test_the_shipped_file_is_in_order() -> None:
    """Where a miss can kill, less is enough than elsewhere; colleagues take more."""
    shipped = load_thresholds(SHIPPED / "recognition.yaml", categories=None)

    assert LEAST_BITS <= shipped.of("undercover", 1) < shipped.of("official", 1) < shipped.relations <= MOST_BITS
    assert shipped.name_alone_up_to > 0


def test_each_category_has_its_own_threshold(tmp_path: Path) -> None:
    """A category that is listed has its own; every other has the usual one."""
    thresholds = load_thresholds(written(tmp_path, GOOD), categories=CATEGORIES)

    assert thresholds.of("informant", 1) == 12
    assert thresholds.of("official", 1) == thresholds.of("nobody's", 1) == 14
    assert thresholds.relations == 16


@pytest.mark.parametrize("category", ["informant", "official"])
def test_a_registry_of_twice_the_size_asks_one_bit_more(category: str) -> None:
    """Each doubling beyond the file's size adds one bit; a smaller registry asks no less."""
    thresholds = Thresholds(size=500, categories={"informant": 12})
    enough = thresholds.of(category, 500)

    assert thresholds.of(category, 1000) == enough + 1
    assert thresholds.of(category, 512_000) == enough + 10
    assert thresholds.of(category, 1) == thresholds.of(category, 0) == enough


@pytest.mark.parametrize(
    ("good", "bad", "place", "told"),
    [
        ("  informant: {", "  infromant: {", "5:3", "unknown category 'infromant'"),
        ("bits: 14", "bits: 4", "3:9", "8"),
        ("bits: 14", "bits: 400", "3:9", "40"),
        ("bits: 14", "bits: many", "3:9", "number"),
        ("bits: 14", "bits: .nan", "3:9", "40"),
        ("{bits: 12}", "{bit: 12}", "5:15", "bit"),
        ("size: 500", "size: 0", "1:7", "1"),
        ("size: 500", "size: 5.5", "1:7", "integer"),
        ("name_alone_up_to: 2000", "name_alone_upto: 2000", "8:1", "name_alone_upto"),
        ("name_alone_up_to: 2000", "name_alone_up_to: -1", "8:19", "0"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, good: str, bad: str, place: str, told: str) -> None:
    """What cannot be meant is refused, with line and column and what would be right."""
    path = written(tmp_path, GOOD.replace(good, bad, 1))

    with pytest.raises(DocumentInvalid) as caught:
        load_thresholds(path, categories=CATEGORIES)

    assert any(f"recognition.yaml:{place}: " in str(each) and told in str(each) for each in caught.value.mistakes), str(
        caught.value
    )


def test_a_mistake_comes_with_a_hint(tmp_path: Path) -> None:
    """The nearest category is suggested; where none is near, all of them are."""
    near = written(tmp_path, GOOD.replace("informant", "infromant"))
    with pytest.raises(DocumentInvalid, match="did you mean 'informant'"):
        load_thresholds(near, categories=CATEGORIES)

    far = written(tmp_path, GOOD.replace("informant", "zebra"))
    with pytest.raises(DocumentInvalid, match="informant, official, victim"):
        load_thresholds(far, categories=CATEGORIES)


@pytest.mark.parametrize("part", ["usual:\n  bits: 14\n", "relations:\n  bits: 16\n", "size: 500\n"])
def test_nothing_necessary_is_guessed(tmp_path: Path, part: str) -> None:
    """A file that leaves something out is refused, not completed."""
    path = written(tmp_path, GOOD.replace(part, ""))

    with pytest.raises(DocumentInvalid, match=part.partition(":")[0]):
        load_thresholds(path, categories=CATEGORIES)


def test_policy_check_tells_its_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``policy check`` reads the thresholds with the rest of the policy, against the vocabulary's categories."""
    for name in FILES:
        shutil.copy(SHIPPED / name, tmp_path / name)
    path = tmp_path / "recognition.yaml"
    path.write_text(path.read_text().replace("  undercover: {bits: 10}", "  undercovr: {bits: 2}"))

    code = run(["policy", "check", "--policies", str(tmp_path)])

    told = capsys.readouterr().err
    line = next(number for number, text in enumerate(path.read_text().splitlines(), start=1) if "undercovr" in text)
    assert code == 1
    assert f"recognition.yaml:{line}:" in told
