from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.policy.decision import Facts, Outcome
from proxy.policy.engine import ERROR, ERROR_RULE, CasbinPolicy, EngineUnsafe, check_engine
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.parser import parse_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet
    from proxy.policy.vocabulary import Words

POLICY = """
g2, informant, protected
g2, official, protected
conceal, H1, any, any, any, informant, any, any, any, notify=records, not there
deny, D1, any, any, any, any, any, self, any, none, not oneself
escalate, E1, patrol, person.read, C, protected, assigned, none, none, none, ask first
mask, M1, patrol, person.read, C, official, assigned, none, granted, mask=ssn, approved
mask, M2, patrol, person.read, C, protected, assigned, none, granted, mask=photo, approved
permit, P1, patrol, person.read, C, none, assigned, none, none, none, ordinary work
"""
ORDINARY = Facts("patrol", "person.read", "C", "none", "assigned", "none", "none")


@pytest.mark.parametrize(
    ("change", "outcome", "rule"),
    [
        ({}, Outcome.PERMIT, "P1"),
        ({"category": "official"}, Outcome.ESCALATE, "E1"),
        ({"category": "official", "approval": "granted"}, Outcome.MASK, "M1"),
        ({"category": "informant"}, Outcome.CONCEAL, "H1"),
        ({"category": "informant", "relation": "self"}, Outcome.CONCEAL, "H1"),
        ({"relation": "self"}, Outcome.DENY, "D1"),
        ({"role": "records"}, Outcome.DENY, "default"),
        ({"approval": "granted"}, Outcome.DENY, "default"),
    ],
)
def test_the_strictest_matching_row_decides(
    ruling_policy: Callable[[str], CasbinPolicy], change: dict[str, str], outcome: Outcome, rule: str
) -> None:
    """Casbin returns the strictest row that matches; no row is a deny."""
    ruling = ruling_policy(POLICY).rule(ORDINARY._replace(**change))

    assert (ruling.outcome, ruling.rule) == (outcome, rule)


def test_mask_rows_that_match_together_mask_together(ruling_policy: Callable[[str], CasbinPolicy]) -> None:
    """What one of two mask rows hides is hidden, whichever row is named."""
    ruling = ruling_policy(POLICY).rule(ORDINARY._replace(category="official", approval="granted"))

    assert ruling.masked == {"ssn", "photo"}


def test_notices_come_with_the_ruling(ruling_policy: Callable[[str], CasbinPolicy]) -> None:
    """The ruling says who is to be told."""
    assert ruling_policy(POLICY).rule(ORDINARY._replace(category="informant")).notify == ("records",)


@pytest.mark.parametrize("column", Facts._fields)
@pytest.mark.parametrize(
    "word", ["", "any", "None", "PATROL", "protected", "asker", "patrol ", "\u0440atrol", None, 7, ["none"]]
)
def test_a_word_outside_the_vocabulary_is_denied_and_counted(
    read: Callable[[str], Sheet], small: Words, column: str, word: Any
) -> None:
    """Groups, wildcards, wrong case, other types: none of them reaches Casbin, each is a counted deny."""
    errors: list[Exception] = []
    policy = CasbinPolicy(sheet=read(POLICY), words=small, version="v", on_error=errors.append)

    ruling = policy.rule(ORDINARY._replace(**{column: word}))

    assert (ruling.outcome, ruling.rule) == (Outcome.DENY, ERROR_RULE)
    assert len(errors) == 1


def test_an_unknown_word_is_not_repeated_in_the_error(read: Callable[[str], Sheet], small: Words) -> None:
    """What is told of a failed ruling names the column, not what stood in it."""
    errors: list[Exception] = []
    policy = CasbinPolicy(sheet=read(POLICY), words=small, version="v", on_error=errors.append)

    policy.rule(ORDINARY._replace(category="secret-name"))

    assert "category" in str(errors[0])
    assert "secret-name" not in str(errors[0])


def _broken(policy: CasbinPolicy, fault: str) -> None:
    enforcer = policy._enforcer
    match fault:
        case "switched off":
            enforcer.enable_enforce(False)
        case "row replaced":
            enforcer.model["p"]["p"].policy[-1] = ["5", "allow", "permit", "P9", "any", *["any"] * 6]
        case "row widened":
            enforcer.model["p"]["p"].policy[-1][4] = "any"
        case "rows gone":
            enforcer.clear_policy()
        case "deny row gone":
            del enforcer.model["p"]["p"].policy[0]
        case "effect turned":
            enforcer.model["p"]["p"].policy[-1][1] = "deny"
        case "row cut short":
            enforcer.model["p"]["p"].policy[0] = ["1", "deny"]
        case "model gone":
            enforcer.model = None
        case _:
            pytest.fail(fault)


@pytest.mark.parametrize(
    "fault",
    [
        "switched off",
        "row replaced",
        "row widened",
        "rows gone",
        "deny row gone",
        "effect turned",
        "row cut short",
        "model gone",
    ],
)
def test_a_broken_engine_denies(read: Callable[[str], Sheet], small: Words, fault: str) -> None:
    """Whatever happens inside Casbin after the load, the answer is a deny and is counted, for every question it changes."""
    errors: list[Exception] = []
    sound = CasbinPolicy(sheet=read(POLICY), words=small, version="v")
    policy = CasbinPolicy(sheet=read(POLICY), words=small, version="v", on_error=errors.append)
    _broken(policy, fault)

    for facts in sound.lattice.cells():
        assert policy.rule(facts) in (sound.rule(facts), ERROR)

    assert errors


def test_an_error_is_not_remembered(read: Callable[[str], Sheet], small: Words) -> None:
    """A ruling that failed once is asked again."""
    policy = CasbinPolicy(sheet=read(POLICY), words=small, version="v")
    policy._enforcer.enable_enforce(False)
    assert policy.rule(ORDINARY).rule == ERROR_RULE

    policy._enforcer.enable_enforce(True)

    assert policy.rule(ORDINARY).rule == "P1"


def test_a_ruling_is_asked_once(read: Callable[[str], Sheet], small: Words) -> None:
    """The second time, the ruling comes from the instance's own cache."""
    looked: list[str] = []
    policy = CasbinPolicy(sheet=read(POLICY), words=small, version="v", on_lookup=looked.append)

    assert policy.rule(ORDINARY) is policy.rule(ORDINARY)
    assert looked == ["miss", "hit"]


def test_casbin_logs_nothing(
    ruling_policy: Callable[[str], CasbinPolicy], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No question and no row is logged, even when somebody switches Casbin's loggers on."""
    policy = ruling_policy(POLICY)
    for name in ("casbin", "casbin.enforcer", "casbin.policy", "casbin.role"):
        logging.getLogger(name).disabled = False

    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "casbin.enforcer"):
        policy.rule(ORDINARY)
        policy.rule(ORDINARY._replace(relation="self"))

    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (("pycasbin", "casbin"), "overwrites pycasbin"),
        (("casbin",), "overwrites pycasbin"),
        (("Casbin", "pycasbin"), "overwrites pycasbin"),
        ((), "not pycasbin's"),
    ],
)
def test_the_dead_distribution_is_refused(tmp_path: Path, installed: tuple[str, ...], message: str) -> None:
    """The distribution ``casbin`` beside pycasbin stops the start: it silently replaces the engine's code."""
    for name in installed:
        folder = tmp_path / f"{name}-1.43.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.43.0\n")

    with pytest.raises(EngineUnsafe, match=message):
        check_engine([str(tmp_path)])


def test_the_installed_casbin_is_the_live_one() -> None:
    """This environment has pycasbin and nothing over it."""
    check_engine()


_COLUMNS = (
    ["any", "patrol", "records", "asker"],
    ["any", "person.read", "person.search"],
    ["any", "C", "J", "operational"],
    ["any", "none", "official", "informant", "protected"],
    ["any", "assigned", "unit"],
    ["any", "none", "self", "conflict"],
    ["any", "none", "granted"],
)
_GROUPS = "g, patrol, asker\ng2, official, protected\ng3, C, operational\ng6, self, conflict\n"


@st.composite
def _policies(draw: st.DrawFn) -> str:
    lines = []
    for number in range(draw(st.integers(1, 6))):
        outcome = draw(st.sampled_from([str(outcome) for outcome in Outcome]))
        open_ = outcome in {"mask", "permit"}
        words = [draw(st.sampled_from(words[1:] if open_ and index != 4 else words)) for index, words in enumerate(_COLUMNS)]
        if outcome == "escalate":
            words[-1] = "none"
        masked = draw(st.sampled_from(["mask=ssn", "mask=photo", "mask=ssn+financial"])) if outcome == "mask" else "none"
        lines.append(", ".join([outcome, f"R{number}", *words, masked, "some reason"]))
    return _GROUPS + "\n".join(lines) + "\n"


@given(text=_policies(), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stricter_row_never_loosens(text: str, data: st.DataObject, small: Words) -> None:
    """Adding any conceal, deny, escalate or mask row opens nothing that was closed and shows nothing that was masked."""
    fields = {"ssn", "photo", "financial"}
    extra = data.draw(
        _policies().map(lambda other: next(line for line in other.split("\n") if ", R0," in line).replace("R0", "X0"))
    )
    before = Lattice(parse_policy(Path("a"), text.encode(), words=small, fields=fields), small)
    after = Lattice(parse_policy(Path("b"), f"{text}{extra}\n".encode(), words=small, fields=fields), small)

    for facts in after.cells():
        old, new = ruling_of(before.matching(facts)), ruling_of(after.matching(facts))
        if old.rule == "default":
            continue
        assert new.outcome.severity <= old.outcome.severity
        if old.outcome is new.outcome:
            assert old.masked <= new.masked


@given(text=_policies(), seed=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shuffled_lines_rule_alike(text: str, seed: Any, small: Words) -> None:
    """The order of lines decides nothing, not even which row is named."""
    fields = {"ssn", "photo", "financial"}
    lines = text.strip().split("\n")
    seed.shuffle(lines)
    one = Lattice(parse_policy(Path("a"), text.encode(), words=small, fields=fields), small)
    other = Lattice(parse_policy(Path("b"), ("\n".join(lines) + "\n").encode(), words=small, fields=fields), small)

    assert all(ruling_of(one.matching(facts)) == ruling_of(other.matching(facts)) for facts in one.cells())
