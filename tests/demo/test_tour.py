from __future__ import annotations

import json
import re
import shutil
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxy.demo.home import Home, shipped_policies
from proxy.demo.questions import plate_check
from proxy.demo.run import demo
from proxy.demo.stage import OpenStage
from proxy.demo.story import Expected, identifiers
from proxy.demo.terminal import Query, send
from proxy.demo.tour import play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.demo.conftest import Processes

STORY = (
    "plate-check", "no-case", "no-purpose", "empty-statement", "invented-case", "closed-case", "others-case",
    "mayor-by-name", "mayor-by-id", "mayor-by-plate", "mayor-by-phone", "mayor-by-address", "mayors-street",
    "approval", "approved-query", "only-once",
    "mayor-misspelt", "mayor-by-nickname", "mayor-by-initial", "mayor-surname-first", "mayor-dob-exchanged", "mayor-ssn-slip",
    "mayor-phone-format", "mayor-plate-look-alike", "mayor-address-respelt", "mayor-address-in-one",
    "next-unit", "next-unit-by-name", "mayors-namesake", "broad-plate", "broad-by-patrol", "broad-by-detective",
    "himself", "his-wife", "his-colleague", "dispatchers-neighbor", "namesake",
    "csv", "sql", "dot-segments", "duplicates", "facet", "method-override", "range",
    "lock", "locked", "own-unlock", "unlock", "unlocked",
    "emergency-in-name", "emergency", "emergency-told", "emergency-reviewed",
    "log-verifies", "flipped-byte",
)  # fmt: skip
"""What the tour has to show, in this order; it may show more in between."""

EXACT: dict[str, dict[str, Any]] = {
    "plate-check": {"status": 200, "problem": "", "decision": "permit"},
    "no-case": {"status": 400, "problem": "case-missing", "decision": ""},
    "no-purpose": {"status": 400, "problem": "purpose-missing", "decision": ""},
    "empty-statement": {"status": 422, "problem": "statement-uninformative", "decision": ""},
    "invented-case": {"status": 422, "problem": "case-unknown", "decision": ""},
    "closed-case": {"status": 422, "problem": "case-closed", "decision": ""},
    "others-case": {"status": 403, "problem": "standing-missing", "decision": ""},
    "mayor-by-id": {"status": 403, "problem": "escalation-required", "decision": "escalate"},
    "mayors-street": {"status": 200, "problem": "", "decision": "permit"},
    "approved-query": {"status": 200, "problem": "", "decision": "mask"},
    "emergency-in-name": {"status": 422, "problem": "statement-uninformative", "decision": ""},
    "emergency": {"status": 200, "problem": "", "decision": "mask"},
    "only-once": {"status": 403, "problem": "grant-spent", "decision": "escalate"},
    **{
        f"mayor-{name}": {"status": 403, "problem": "escalation-required", "decision": "escalate"}
        for name in ("misspelt", "by-nickname", "by-initial", "surname-first", "dob-exchanged", "ssn-slip", "plate-look-alike")
    },
    "next-unit": {"status": 200, "problem": "", "decision": "permit"},
    "mayors-namesake": {"status": 200, "problem": "", "decision": "permit"},
    "broad-by-patrol": {"status": 403, "problem": "policy-denied", "decision": "deny"},
    "broad-by-detective": {"status": 200, "problem": "", "decision": "permit"},
    "himself": {"status": 403, "problem": "policy-denied", "decision": "deny"},
    "his-wife": {"status": 403, "problem": "policy-denied", "decision": "deny"},
    "his-colleague": {"status": 403, "problem": "escalation-required", "decision": "escalate"},
    "dispatchers-neighbor": {"status": 403, "problem": "policy-denied", "decision": "deny"},
    "namesake": {"status": 200, "problem": "", "decision": "permit"},
    "dot-segments": {"status": 400, "problem": "request-not-canonical", "decision": ""},
    "locked": {"status": 403, "problem": "locked"},
    "own-unlock": {"status": 403, "problem": "lock-ineligible"},
    "unlocked": {"status": 200, "problem": "", "decision": "permit"},
    "flipped-byte": {"status": None, "problem": "", "decision": ""},
}


def test_the_whole_tour_is_as_told(processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is there in its order and did what it should; nothing else is on standard output, and nothing stays."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SHOWCAUSE_ORIGIN", "somebody.else.example/log")
    tour = processes.start("-m", "proxy", "demo", "--tour", "--json")

    said, complained = tour.communicate(timeout=240)

    steps = [json.loads(line) for line in said.splitlines()]
    assert [(step["step"], step["note"]) for step in steps if not step["ok"]] == []
    assert all(list(step) == ["step", "ok", "status", "problem", "decision", "note"] for step in steps)
    names = [step["step"] for step in steps]
    assert [name for name in names if name in STORY] == list(STORY)
    assert len(set(names)) == len(names)
    by_name = {step["step"]: step for step in steps}
    assert {name: {key: by_name[name][key] for key in exact} for name, exact in EXACT.items()} == EXACT
    assert complained == ""
    assert tour.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert processes.naming(tmp_path) == []


def test_a_policy_that_lets_more_out_fails_the_tour(processes: Processes, tmp_path: Path) -> None:
    """The tour is no decoration: with one mask less it ends with 1, and says at which step and why."""
    loose = tmp_path / "policies"
    shutil.copytree(shipped_policies(), loose)
    policy = loose / "policy.csv"
    rows = policy.read_text(encoding="utf-8").splitlines(keepends=True)
    policy.write_text(
        "".join(row.replace("mask=ssn,", "mask=photo,") if re.match(r"mask,\s+M06,", row) else row for row in rows)
    )
    tour = processes.start("-m", "proxy", "demo", "--tour", "--json", "--policies", str(loose))

    said, _ = tour.communicate(timeout=240)

    wrong = {step["step"]: step["note"] for step in map(json.loads, said.splitlines()) if not step["ok"]}
    assert "approved-query" in wrong
    assert "the answer tells the SSN" in wrong["approved-query"]
    assert tour.returncode == 1


def test_a_tour_that_is_interrupted_leaves_nothing(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle ends every process and removes the home."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tour = processes.start("-m", "proxy", "demo", "--tour", "--json")
    assert tour.stdout is not None
    assert json.loads(tour.stdout.readline())["step"] == "plate-check"

    tour.send_signal(signal.SIGINT)

    assert tour.wait(timeout=120) == 128 + signal.SIGINT
    assert list(tmp_path.iterdir()) == []
    assert processes.naming(tmp_path) == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_stage_sees_everything_that_is_not_as_told(made: Home) -> None:
    """Each expectation that does not hold is said in words; none is passed over."""
    async with demo(made, usual_ports=False) as running:
        stage = OpenStage(running)
        driver = running.town.cast["driver"]
        answer = await stage.ask(plate_check(running.town))
        right = Expected(
            status=200,
            decision="permit",
            records=1,
            withheld=0,
            holds={"the name": driver.surname},
            lacks={"the SSN": driver.ssn},
        )

        assert stage.look(answer, right).wrong == ()
        for changed, said in (
            ({"status": 403}, "status is 200, not 403"),
            ({"problem": "policy-denied"}, "problem is nothing, not policy-denied"),
            ({"decision": "deny"}, "decision is permit, not deny"),
            ({"records": 0}, "number of records is 1, not nothing"),
            ({"withheld": 1}, "withheld is 0, not 1"),
            ({"masked": frozenset({"ssn"})}, "masked is nothing, not ssn"),
            ({"holds": {"the SSN": driver.ssn}}, "the answer lacks the SSN"),
            ({"lacks": {"the name": driver.surname.upper()}}, "the answer tells the name"),
        ):
            wrong: Any = changed
            assert stage.look(answer, replace(right, **wrong)).wrong == (said,)
        unrecorded = replace(answer, headers={**answer.headers, "audit-entry": ""})
        assert "the answer names no entry of the log" in stage.look(unrecorded, right).wrong
        boasting = replace(answer, headers={**answer.headers, "disclosure": "withheld=2"})
        assert "the terminal is told of 2 withheld records; policy lets it know of 0" in stage.look(boasting, right).wrong


async def test_the_town_behind_the_mayor_is_not_reachable_by_officers(made: Home) -> None:
    """What the tour holds the mayor's answers against is really in the records: asked directly, the server tells it all."""
    async with demo(made, usual_ports=False) as running:
        town = running.town
        secret = identifiers(town, town.household_of(town.cast["mayor"]))
        told = b""
        for table in ("persons", "vehicles", "addresses"):
            query = Query(
                who="", target=f"/records/{table}.json?_shape=array&street={town.cast['mayor'].home.line}".replace(" ", "+")
            )
            told += (await send(running.records_url, query, None)).body

    assert [what for what, text in secret.items() if text.encode() not in told] == []


async def test_steps_are_played_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops listening after a step stops the tour."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    playing = play(shipped_policies())

    first = await anext(playing)
    await playing.aclose()  # type: ignore[attr-defined]

    assert first.step == "plate-check"
    assert first.ok
    assert _names(tmp_path) == []
