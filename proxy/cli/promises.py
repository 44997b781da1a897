"""``policy test`` and ``policy invariants``: does the policy do what those who answer for it wrote down?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    done,
    emit,
    say,
    warn,
)
from proxy.cli.policies import PoliciesOption, counted, folder_of, place_of, ruled, ruling_as_json

if TYPE_CHECKING:
    from proxy.policy.cases import Failure
    from proxy.policy.service import PolicySet
    from proxy.policy.violations import Violation


def cases(
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Ask the policy every case of cases/*.yaml, and show as a diff what it decides otherwise.

    Exit 1 when a case fails, or a row decides in no case: a mistake in it would go unnoticed.
    """
    from proxy.policy.cases import uncovered  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.gate import failed_cases, load_promises  # noqa: PLC0415
    from proxy.policy.service import load_policies  # noqa: PLC0415

    loaded = load_policies(folder_of(config, policies))
    promises = load_promises(loaded)
    asked = promises.cases
    if not asked:
        hint = f"write {loaded.directory / 'cases'}/ordinary.yaml; README.md beside the policy shows one"
        raise CommandFailed("there are no cases, so nothing was tested", help=hint, code=Code.WRONG_USE)
    failed, untested = failed_cases(loaded, promises), uncovered(asked, loaded.lattice)
    if as_json:
        emit(
            {
                "ok": not (failed or untested),
                "version": loaded.version,
                "cases": len(asked),
                "failures": [_failure_as_json(each) for each in failed],
                "uncovered": [{"rule": row.rule, "line": row.line} for row in untested],
            }
        )
    else:
        for each in failed:
            warn(each.diff(loaded.directory))
        for row in untested:
            warn(f"{loaded.directory / row.file}:{row.line}: rule {row.rule} decides in no case")
        good = len(asked) - len(failed)
        summary = f"{good:,} of {counted(len(asked), 'case')} as expected; "
        summary += f"{counted(len(untested), 'row')} in no case" if untested else "every row decides in one at least"
        (warn if failed or untested else say)(f"{summary}; version {loaded.version}")
    if failed or untested:
        raise done(Code.FOUND)


def _failure_as_json(failure: Failure) -> dict[str, object]:
    case = failure.case
    return {
        "case": case.case,
        "file": str(case.file),
        "line": case.line,
        "facts": case.facts._asdict(),
        "expected": ruling_as_json(case.expected),
        "actual": ruling_as_json(failure.actual),
        "matching": [{"outcome": row.outcome, "rule": row.rule, "line": row.line} for row in failure.matching],
        "source": case.source,
    }


def invariants(
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Hold every question there is against invariants.yaml, and show the smallest one that goes against a statement.

    Exit 1 when an invariant does not hold.
    """
    from proxy.policy.gate import load_promises  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.service import load_policies  # noqa: PLC0415
    from proxy.policy.violations import violations  # noqa: PLC0415

    loaded = load_policies(folder_of(config, policies))
    stated = load_promises(loaded).invariants
    if not stated:
        hint = f"write {loaded.directory / 'invariants.yaml'}; README.md beside the policy shows one"
        raise CommandFailed("there are no invariants, so nothing was proved", help=hint, code=Code.WRONG_USE)
    violated = violations(stated, loaded.lattice)
    if as_json:
        emit(
            {
                "ok": not violated,
                "version": loaded.version,
                "invariants": len(stated),
                "questions": loaded.lattice.size,
                "violations": [_violation_as_json(each) for each in violated],
            }
        )
    else:
        for each in violated:
            warn(_violation(loaded, each))
        if violated:
            warn(f"{counted(len(violated), 'invariant')} of {len(stated)} violated; version {loaded.version}")
        else:
            asked = f"all {loaded.lattice.size:,} questions"
            say(f"{counted(len(stated), 'invariant')} hold of {asked}; version {loaded.version}")
    if violated:
        raise done(Code.FOUND)


def _violation(loaded: PolicySet, violation: Violation) -> str:
    from proxy.policy.gate import told  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.vocabulary import ANY  # noqa: PLC0415

    invariant, example = violation.invariant, violation.example
    row, ruling = place_of(loaded, violation.deciding), example.ruling
    lines = [
        f"{invariant.file}:{invariant.line}: {invariant.name}: {invariant.says}",
        f"    violated by {counted(violation.questions, 'question')}; the smallest: {told(violation.smallest)}",
        *([f"    for example  {told(example.facts)}"] if ANY in violation.smallest else []),
        f"    is           {ruled(ruling)}, by {row}",
    ]
    if example.earlier is not None and violation.earlier is not None:
        changed = ", ".join(
            f"{column}={word}" for column, word in example.earlier._asdict().items() if word != getattr(example.facts, column)
        )
        earlier = violation.earlier
        lines.append(f"    with {changed} it is {ruled(earlier)}, by {earlier.rule}")
    return "\n".join(lines)


def _violation_as_json(violation: Violation) -> dict[str, object]:
    invariant, example = violation.invariant, violation.example
    return {
        "name": invariant.name,
        "says": invariant.says,
        "file": str(invariant.file),
        "line": invariant.line,
        "questions": violation.questions,
        "smallest": violation.smallest._asdict(),
        "example": example.facts._asdict(),
        "ruling": ruling_as_json(example.ruling),
        "rule_line": violation.deciding.line if violation.deciding else None,
        "earlier": None if example.earlier is None else example.earlier._asdict(),
        "earlier_ruling": None if violation.earlier is None else ruling_as_json(violation.earlier),
    }
