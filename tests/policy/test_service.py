from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.advice import review
from proxy.policy.decision import Facts, Outcome
from proxy.policy.service import FILES, PolicySet, explain, load_policies

SHIPPED = Path(__file__).parents[2] / "policies"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped policy files."""
    for name in FILES:
        shutil.copy(SHIPPED / name, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def loaded() -> PolicySet:
    """Return the shipped policy."""
    return load_policies(SHIPPED)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(("old", "new"), [("meaning: Elected", "meanning: Elected"), ("  detective:", "  patrol:")])
def test_a_mistake_in_the_vocabulary_is_not_told_a_hundred_times(folder: Path, old: str, new: str) -> None:
    """Rows whose words cannot be checked for once are not called wrong: the one mistake stands where it was made."""
    _edit(folder / "vocabulary.yaml", old, new)

    with pytest.raises(DocumentInvalid) as invalid:
        load_policies(folder)

    assert {mistake.file.name for mistake in invalid.value.mistakes} == {"vocabulary.yaml"}


def test_a_folder_that_is_not_there_is_one_mistake(folder: Path) -> None:
    """The folder's name is wrong, not six files."""
    with pytest.raises(DocumentInvalid) as invalid:
        load_policies(folder / "polices")

    assert [(mistake.file.name, mistake.message) for mistake in invalid.value.mistakes] == [
        ("polices", "there is no such folder")
    ]


def test_the_shipped_policy_loads_without_a_warning(loaded: PolicySet) -> None:
    """Nothing is wrong with what is shipped, nothing in it is dead, and nothing leans on a single line."""
    assert review(loaded) == ()
    assert loaded.version == loaded.policy.version == loaded.digest[:12]
    assert len(loaded.digest) == 64


def test_the_version_is_the_content(folder: Path, loaded: PolicySet) -> None:
    """A copy has the same version; one changed comment in any file gives another; a file beside them does not."""
    (folder / "notes.txt").write_text("not policy")
    assert load_policies(folder).version == loaded.version

    versions = {loaded.version}
    for name in FILES:
        with (folder / name).open("a") as file:
            file.write("# changed\n")
        versions.add(load_policies(folder).version)
    assert len(versions) == len(FILES) + 1


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_told(folder: Path, name: str) -> None:
    """A policy is all of its files."""
    (folder / name).unlink()

    with pytest.raises(DocumentInvalid, match=name.replace(".", r"\.")):
        load_policies(folder)


def test_mistakes_of_all_files_are_told_at_once(folder: Path) -> None:
    """One run tells what is wrong in every file, even where one file's words depend on another that is wrong."""
    _edit(folder / "policy.csv", "deny,      D01", "dney,      D01")
    _edit(folder / "model.conf", "priority(p.eft) || deny", "some(where (p.eft == allow))")
    _edit(folder / "fields.yaml", "label: Name", "lable: Name")
    _edit(folder / "vocabulary.yaml", "group: protected", "group: protectde")
    _edit(folder / "routes.yaml", "action: person.read", "action: Person.Read")
    _edit(folder / "purposes.yaml", "label: Criminal justice", "lable: Criminal justice")
    _edit(folder / "recognition.yaml", "name_alone_up_to", "name_alone_upto")
    _edit(folder / "budgets.yaml", "queries: 900", "queries: 0")
    _edit(folder / "approvals.yaml", "told: roles", "told: all")
    _edit(folder / "overlays.yaml", "overlays: []", "overlays: [law]")

    with pytest.raises(DocumentInvalid) as caught:
        load_policies(folder)

    assert {mistake.file.name for mistake in caught.value.mistakes} == set(FILES)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("routes.yaml", "class: ssn", "class: snn", "unknown field class 'snn'"),
        ("fields.yaml", "  ssn:", "  social:", "unknown field class 'ssn'"),
        (
            "purposes.yaml",
            "[person.read, person.search, ",
            "[person.raed, person.search, ",
            "no route has the action 'person.raed'",
        ),
        ("purposes.yaml", "\n  H:\n", "\n  operational:\n", "the code 'operational' has the name of a group"),
        ("policy.csv", "g3, C, operational", "g3, Z, operational", "unknown purpose 'Z'"),
        ("policy.csv", "g4, person.read, query", "g4, person.erase, query", "unknown action 'person.erase'"),
        ("policy.csv", "mask=ssn+financial", "mask=ssn+finance", "unknown field class 'finance'"),
        ("vocabulary.yaml", "  patrol: Officer", "  patroller: Officer", "unknown role 'patrol'"),
        ("vocabulary.yaml", "  patrol: Officer", "  any: Everybody\n  patrol: Officer", "'any' is a word of the policy itself"),
        (
            "vocabulary.yaml",
            "  category:\n",
            "  category:\n    official: A group\n",
            "the group 'official' has the name of a category",
        ),
        ("vocabulary.yaml", "  relation:\n", "  relation:\n    self: A group\n", "the group 'self' has the name of a relation"),
        ("vocabulary.yaml", "group: hidden", "group: secret", "unknown category group 'secret'"),
        ("vocabulary.yaml", "  patrol: Officer", "  Patrol: Officer", "pattern"),
        ("vocabulary.yaml", "  patrol: Officer", "  patrol: Officer\n  patrol: Officer", "patrol"),
        ("fields.yaml", 'mask: "***-**-****"', "mask: 0", "string"),
        ("budgets.yaml", "by_purpose: {F: 100", "by_purpose: {Q: 100", "there is no code 'Q'"),
        ("budgets.yaml", "by_action: {person.browse", "by_action: {person.brows", "there is no action 'person.brows'"),
    ],
)
def test_files_are_held_against_one_another(folder: Path, file: str, old: str, new: str, message: str) -> None:
    """A word that one file uses and another does not declare is a mistake with its place."""
    _edit(folder / file, old, new)

    with pytest.raises(DocumentInvalid) as caught:
        load_policies(folder)

    assert any(message in mistake.message for mistake in caught.value.mistakes), str(caught.value)


@pytest.mark.parametrize(
    ("place", "old", "new", "told"),
    [
        ("budgets.yaml:13:5", "  fruitless: 240", "    fruitless: 240", ("block", "indented otherwise")),
        ("budgets.yaml:14:3", "  fruitless: 240", "fruitless: 240", ("block", "or one of those above it, is indented")),
        ("budgets.yaml:12:12", "queries: 900 ", "queries: 900# ", ("integer", "needs a space before its #")),
        ("budgets.yaml:14:12", "records: 5000", "records: 5,000", ("integer", "digits alone")),
        ("fields.yaml:15:11", 'mask: "[masked]"', "mask: \u201c[masked]\u201d", ("is no quote here", "straight")),
        ("vocabulary.yaml:12:3", "  auditor:", "  \u0430uditor:", ("CYRILLIC SMALL LETTER A", "type the word again")),
        ("vocabulary.yaml:12:3", "  auditor:", "  Auditor:", ("pattern", "small letters")),
        ("recognition.yaml:18:15", "undercover: {bits: 10}", "undercover: 10", ("names and values", "known here: bits")),
        ("purposes.yaml:177:33", "required: false", "required: \u200bfalse", ("U+200B (ZERO WIDTH SPACE)", "delete it")),
        ("budgets.yaml:1:11", "# How much", "# How much\rmore: 1 #", ("U+000D", "delete it")),
        ("budgets.yaml:1:6", "# How much", "# How\u202emuch", ("RIGHT-TO-LEFT OVERRIDE", "delete it")),
    ],
)
def test_a_slip_of_the_keyboard_is_told_with_its_place_and_what_to_do(
    folder: Path, place: str, old: str, new: str, told: tuple[str, str]
) -> None:
    """Whoever edits is no programmer: a message of the YAML library's alone says nothing to them."""
    path = folder / place.partition(":")[0]
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))

    with pytest.raises(DocumentInvalid) as caught:
        load_policies(folder)

    first = caught.value.mistakes[0]
    assert f"{first.file.name}:{first.line}:{first.column}" == place, str(caught.value)
    assert told[0] in first.message
    assert told[1] in (first.help or "")


@pytest.mark.parametrize("file", [name for name in FILES if name.endswith(".yaml")])
@pytest.mark.parametrize("content", ["", "# nothing but a comment\n"])
def test_an_empty_file_is_called_empty(folder: Path, file: str, content: str) -> None:
    """Half a save or a full disk leaves one; it is one mistake, and says so."""
    (folder / file).write_text(content)

    with pytest.raises(DocumentInvalid) as caught:
        load_policies(folder)

    assert [each.message for each in caught.value.mistakes if each.file.name == file] == ["the file is empty"]


def test_a_category_is_in_the_group_that_it_is_declared_to_be_of(folder: Path) -> None:
    """Else none of the group's rows and promises holds of it, and a refusal tells of somebody who is not to be there."""
    _edit(
        folder / "vocabulary.yaml",
        "  undercover:\n",
        "  source:\n    meaning: Somebody who talks to us; confirming the person can kill.\n    group: hidden\n  undercover:\n",
    )

    with pytest.raises(DocumentInvalid) as caught:
        load_policies(folder)
    [mistake] = caught.value.mistakes
    _edit(folder / "policy.csv", "g2, undercover, hidden\n", "g2, undercover, hidden\ng2, source, hidden\n")

    assert (mistake.file.name, mistake.help) == ("vocabulary.yaml", "add to policy.csv: g2, source, hidden")
    assert "'source' is of the group 'hidden'" in mistake.message
    facts = Facts("patrol", "person.read", "C", "source", "assigned", "none", "none")
    assert load_policies(folder).policy.rule(facts).outcome is Outcome.CONCEAL


def test_nobody_whom_a_row_conceals_can_be_named_at_the_console(folder: Path) -> None:
    """The group in vocabulary.yaml says whose name a supervisor is told: one word there must not undo what the rows hide."""
    _edit(folder / "vocabulary.yaml", "can kill.\n    group: hidden", "can kill.\n    group: protected")
    _edit(folder / "policy.csv", "g2, informant, hidden\n", "g2, informant, hidden\ng2, informant, protected\n")
    _edit(folder / "policy.csv", "none,     exigent=allowed/4h; shows", "none,     exigent=never, because\n#")

    with pytest.raises(DocumentInvalid) as caught:
        load_policies(folder)

    [mistake] = caught.value.mistakes
    assert mistake.file.name == "vocabulary.yaml"
    assert mistake.message.startswith("a row conceals 'informant'")


def test_a_truncated_policy_opens_nothing(folder: Path, loaded: PolicySet) -> None:
    """Wherever the file is cut between lines, what still loads answers nothing that the whole does not."""
    lines = (SHIPPED / "policy.csv").read_text().splitlines(keepends=True)
    answered = {Outcome.PERMIT, Outcome.MASK}
    loads = 0
    for length in range(len(lines) - 1, 0, -7):
        (folder / "policy.csv").write_text("".join(lines[:length]))
        try:
            cut = load_policies(folder)
        except DocumentInvalid:
            continue
        loads += 1
        for facts in loaded.lattice.cells(action="person.read"):
            matching, whole = cut.lattice.matching(facts), loaded.lattice.matching(facts)
            if matching and matching[0].outcome in answered:
                assert whole[0].outcome.severity >= matching[0].outcome.severity
    assert loads > 2


def test_rulings_are_counted(folder: Path) -> None:
    """The callbacks hear of lookups and of failed rulings."""
    looked: list[str] = []
    failed: list[Exception] = []
    policies = load_policies(folder, on_error=failed.append, on_lookup=looked.append)
    facts = Facts("patrol", "person.read", "C", "none", "assigned", "none", "none")

    policies.policy.rule(facts)
    policies.policy.rule(facts)
    policies.policy.rule(facts._replace(role="king"))

    assert looked == ["miss", "hit", "miss"]
    assert len(failed) == 1


def test_review_finds_what_is_risky(folder: Path) -> None:
    """Dead rows, leaning rows, idle groups and purposes that nobody is answered under are told, with what to do."""
    with (folder / "policy.csv").open("a") as file:
        file.write("deny, Z1, patrol, any, any, any, any, self, any, none, said already\n")
        file.write("permit, Z2, patrol, query, operational, protected, present, none, none, none, too broad\n")
        file.write("permit, Z3, records, vehicle.read, administrative, none, held, none, none, none, no code offers it\n")
    _edit(folder / "policy.csv", "g3, H, administrative\n", "")

    found = review(load_policies(folder))
    told = [mistake.message for mistake in found]

    assert told[:3] == [
        "rule Z1 never decides: wherever it matches, D01 does",
        "rule Z2 never decides: wherever it matches, E01 does",
        "rule Z3 never decides: purposes.yaml offers none of its actions under its codes",
    ]
    assert any("would be permit, by Z2; it is escalate now" in message for message in told)
    [vain] = [mistake for mistake in found if "under code H" in mistake.message]
    assert (vain.file.name, vain.source) == ("purposes.yaml", "    actions: [person.read, person.search, warrant.search]")
    assert all(mistake.help for mistake in found)


def test_review_tells_what_lies_in_the_folder_and_is_read_by_nothing(folder: Path) -> None:
    """A copy, another ending, a folder within cases: what somebody believes to be in force, and is not."""
    (folder / "cases" / "old").mkdir(parents=True)
    for name in ("budgets.yml", "policy (1).csv", "policy.csv.bak", "cases/old/ordinary.yaml", "README.md", "notes.txt"):
        (folder / name).write_text("per_hour: {queries: 1}\n")

    found = [(each.file.relative_to(folder).as_posix(), each.message) for each in review(load_policies(folder))]

    assert [file for file, message in found if message == "nothing reads this file"] == [
        "budgets.yml", "policy (1).csv", "policy.csv.bak", "cases/old/ordinary.yaml",
    ]  # fmt: skip
    assert [file for file, message in found if message.startswith("there is no invariants.yaml")] == ["invariants.yaml"]


def test_metrics_know_categories_by_group_only(loaded: PolicySet) -> None:
    """Labels are groups from a closed list; an unknown category has none."""
    assert loaded.vocabulary.category_group("informant") == "hidden"
    assert loaded.vocabulary.category_group("official") == "protected"
    assert loaded.vocabulary.category_group("none") == "none"
    assert loaded.vocabulary.category_group("x") == "none"


def test_an_explanation_names_the_deciding_row_and_the_others(loaded: PolicySet) -> None:
    """Casbin returns one row; the others that matched are told beside it."""
    told = explain(loaded, Facts("auditor", "person.read", "C", "informant", "assigned", "self", "none"))

    assert told.deciding is not None
    assert (told.ruling.rule, told.deciding.rule) == ("D01", "D01")
    assert [row.rule for row in told.others] == ["D02"]


def test_the_default_deny_has_no_row(loaded: PolicySet) -> None:
    """Where nothing matches there is no deciding row."""
    told = explain(loaded, Facts("patrol", "person.read", "C", "none", "unassigned", "none", "none"))

    assert (told.deciding, told.others, told.ruling.rule) == (None, (), "default")
