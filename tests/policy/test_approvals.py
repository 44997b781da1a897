from __future__ import annotations

from pathlib import Path

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.approvals import load_approvals
from proxy.policy.decision import Outcome
from proxy.policy.parser import read_obligations
from proxy.policy.vocabulary import Words

SHIPPED = Path(__file__).parents[2] / "policies" / "approvals.yaml"
ROLES = frozenset({"patrol", "supervisor", "auditor"})


@pytest.fixture
def words() -> Words:
    """Return words with the shipped stages."""
    return Words(words={"role": ROLES}, groups={}, stages=load_approvals(SHIPPED, roles=ROLES).stages)


def test_the_shipped_stages_say_what_they_seem_to() -> None:
    """A rank with + is that and all above it; a stage is of the requester's agency unless it says otherwise."""
    approvals = load_approvals(SHIPPED, roles=ROLES)

    command, oversight = approvals.stages["command"], approvals.stages["oversight"]
    assert command.ranks == ("lieutenant", "captain", "major", "deputy_chief", "chief")
    assert (command.agency, oversight.agency, oversight.ranks) == ("own", "any", ())
    assert (approvals.within, approvals.each, approvals.nobody.role) == (30 * 86_400, 3, "supervisor")


WRONG = {
    "a role that is none": ("roles: [auditor]", "roles: [auditer]", "unknown role 'auditer'", "did you mean 'auditor'?"),
    "a rank that is none": ("rank: lieutenant+", "rank: leutenant+", "unknown rank 'leutenant'", "did you mean 'lieutenant'?"),
    "a rank twice": ("[officer, corporal", "[officer, officer", "the rank 'officer' is there twice", "lowest first"),
    "an agency that is none": ("agency: any", "agency: all", "'all' is no agency", "own, any"),
    "nobody": ("of: 1, roles: [auditor]", "of: 0, roles: [auditor]", "greater than or equal to 1", ""),
    "a crowd": ("of: 1, roles: [auditor]", "of: 9, roles: [auditor]", "less than or equal to 5", ""),
    "no role": ("roles: [auditor]", "roles: []", "at least 1 item", ""),
    "a key that is none": ("of: 1, roles: [auditor]", "off: 1, roles: [auditor]", "unknown key 'off'", "did you mean 'of'?"),
    "a time that is none": ("within: 30d", "within: soon", "'soon' is no time", "15m, 4h"),
    "a page to nobody": ("page: supervisor", "page: superviser", "unknown role 'superviser'", "did you mean 'supervisor'?"),
    "telling everything": ("told: roles", "told: all", "'nothing', 'roles' or 'names'", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_told_with_its_place_and_the_nearest_word(tmp_path: Path, name: str) -> None:
    """File, line, column, what is wrong and what was probably meant."""
    old, new, message, hint = WRONG[name]
    text = SHIPPED.read_text("utf-8")
    assert text.count(old) >= 1
    path = tmp_path / "approvals.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")

    with pytest.raises(DocumentInvalid) as caught:
        load_approvals(path, roles=ROLES)

    mistake = next(each for each in caught.value.mistakes if message in each.message)
    assert mistake.source is not None
    assert new.partition(":")[0] in mistake.source
    assert hint in (mistake.help or "")


def test_a_row_names_stages_and_nothing_beside_them(words: Words) -> None:
    """Both stages are demanded; one that is not declared, a quorum beside them, and a row that asks nobody are refused."""
    said, complaints = read_obligations("stages=command+oversight", Outcome.ESCALATE, words=words, fields=frozenset())
    assert not complaints
    assert [demand.name for demand in said["demands"]] == ["command", "oversight"]

    for text, outcome, message in (
        ("stages=comand", Outcome.ESCALATE, "unknown stage of approvals.yaml 'comand'"),
        ("stages=command; quorum=2", Outcome.ESCALATE, "stages= says how many and who"),
        ("stages=command; approvers=auditor", Outcome.ESCALATE, "stages= says how many and who"),
        ("stages=command+command", Outcome.ESCALATE, "'stages' names a word twice"),
        ("stages=command", Outcome.PERMIT, "asks nobody"),
    ):
        _, complaints = read_obligations(text, outcome, words=words, fields=frozenset())
        assert message in " ".join(complaint for complaint, _ in complaints)
