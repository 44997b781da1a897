"""The gates: what stands between a policy that can be loaded and one that is live.

A policy is loaded without a mistake (``load_policies``); then stock Casbin, our reading and the oracle agree on every
question; then every case and every invariant that lies beside it holds. Whatever fails is told as a mistake with its place,
and the policy that is live stays.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from proxy.document import DocumentInvalid, Mistake
from proxy.policy.agreement import agreement
from proxy.policy.cases import failures, load_cases
from proxy.policy.edits import Edit
from proxy.policy.invariants import load_invariants
from proxy.policy.lattice import Read
from proxy.policy.rows import SHEET, obligations, only, overlay_file
from proxy.policy.service import load_policies
from proxy.policy.violations import violations
from proxy.policy.vocabulary import ANY, COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from proxy.policy.agreement import Agreement
    from proxy.policy.cases import Case, Failure
    from proxy.policy.decision import Facts
    from proxy.policy.invariants import Invariant
    from proxy.policy.service import PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What lies beside a policy and has to hold of it."""

    cases: tuple[Case, ...]
    invariants: tuple[Invariant, ...]
    overlaid: Mapping[str, tuple[Case, ...]] = field(default_factory=dict)  # those cases that an overlay brought, by its name


def load_gated(directory: Path) -> PolicySet:
    """Load a policy aside and pass it through every gate; some seconds of computing.

    Raises:
        DocumentInvalid: with every mistake, or every gate it failed.
        EngineUnsafe: the installed Casbin is not the one this program is safe with.
    """
    policies = load_policies(directory)
    failed = list(failed_gates(policies))
    if failed:
        raise DocumentInvalid(failed)
    return policies


def load_promises(policies: PolicySet) -> Promises:
    """Read the cases and invariants of a policy.

    Raises:
        DocumentInvalid: with every mistake of every file.
    """
    mistakes: list[Mistake] = []
    rules, fields = frozenset(row.rule for row in policies.sheet.rows), frozenset(policies.fields)
    found: dict[str, tuple[Case, ...]] = {}
    invariants: list[Invariant] = []
    for name in ("", *policies.overlays):
        folder = (policies.directory / overlay_file(name)).parent if name else policies.directory
        try:
            found[name] = load_cases(folder, words=policies.words, fields=fields, rules=rules)
        except DocumentInvalid as invalid:
            mistakes.extend(invalid.mistakes)
        try:
            invariants += load_invariants(folder, words=policies.words, sheet=policies.sheet, fields=fields)
        except DocumentInvalid as invalid:
            mistakes.extend(invalid.mistakes)
    if mistakes:
        raise DocumentInvalid(mistakes)
    return Promises(cases=tuple(chain(*found.values())), invariants=tuple(invariants), overlaid=found)


def promise_edits(before: PolicySet, after: PolicySet) -> Iterator[Edit]:
    """Yield what one folder promises and another does not, or otherwise: who takes a promise away has less to keep.

    It is no part of a policy, so nothing else tells of it to whoever compares the two.
    """
    try:
        old, new = (load_promises(replace(each, overlays=())) for each in (before, after))
    except DocumentInvalid as invalid:
        first = invalid.mistakes[0]
        what = f"cannot be read, so nothing is known of what it promises: {first.message}"
        yield Edit(first.file.name, loosens=True, what=what)
        return
    stated = {each.name: each.form for each in new.invariants}
    with suppress(DocumentInvalid):  # it has words of its own
        # By the words of before: that a group has one member more is no other promise.
        read = partial(load_invariants, words=before.words, sheet=before.sheet, fields=frozenset(before.fields))
        stated |= {each.name: each.form for each in read(after.directory)}
    for each in old.invariants:
        if stated.get(each.name) != each.form:
            what = "says something else" if each.name in stated else "is gone"
            yield Edit(each.file.name, loosens=True, what=f"the invariant {each.name} {what}")
    asked = {each.case: (each.facts, each.expected) for each in new.cases}
    for case in old.cases:
        if asked.get(case.case) != (case.facts, case.expected):
            what = "expects something else" if case.case in asked else "is gone"
            yield Edit(case.file.name, loosens=True, what=f"the case '{case.case}' {what}")


def failed_cases(policies: PolicySet, promises: Promises) -> tuple[Failure, ...]:
    """Return the cases that are ruled on otherwise.

    Those of the policy itself hold without any overlay, those of an overlay with it and no other; invariants hold with all.
    """
    if not policies.overlays:
        return failures(promises.cases, policies.policy, policies.lattice)
    found: list[Failure] = []
    for name, cases in promises.overlaid.items():
        files = (SHEET, overlay_file(name)) if name else (SHEET,)
        alone = Read(only(policies.sheet, *files), policies.words)
        found += failures(cases, alone, alone.lattice)
    return tuple(found)


def failed_gates(policies: PolicySet) -> Iterator[Mistake]:
    """Yield each gate that a loaded policy fails, with its place."""
    yield from disagreements(policies, agreement(policies.text, policies.lattice, policies.policy))
    try:
        promises = load_promises(policies)
    except DocumentInvalid as invalid:
        yield from invalid.mistakes
        return
    for failure in failed_cases(policies, promises):
        case, actual = failure.case, failure.actual
        expected = f"{case.expected.outcome} by {case.expected.rule} ({obligations(case.expected)})"
        message = (
            f"the case '{case.case}' expects {expected}, and it is {actual.outcome} by {actual.rule} ({obligations(actual)})"
        )
        yield Mistake(file=case.file, line=case.line, column=1, message=message, help="`policy test` shows it as a diff")
    for violation in violations(promises.invariants, policies.lattice):
        invariant = violation.invariant
        ruling = violation.example.ruling
        message = f"'{invariant.name}' does not hold: {told(violation.smallest)}: {ruling.outcome} by {ruling.rule}"
        yield Mistake(
            file=invariant.file, line=invariant.line, column=1, message=message, help="`policy invariants` shows an example"
        )


def disagreements(policies: PolicySet, agreed: Agreement) -> Iterator[Mistake]:
    """Yield what the readings of a policy disagree on, as mistakes; it is this program that is wrong, or its Casbin."""
    sheet = policies.directory / "policy.csv"
    for each in agreed.disagreements:
        message = f"{each.reading} says {each.said.outcome} by {each.said.rule}"
        message += f" where the oracle says {each.oracle.outcome} by {each.oracle.rule}"
        yield Mistake(file=sheet, line=1, column=1, message=f"{message}: {', '.join(each.facts)}", help="please report it")


def told(facts: Facts) -> str:
    """Return facts as ``column=word``, without the columns that do not matter."""
    said = ", ".join(f"{column}={word}" for column, word in zip(COLUMNS, facts, strict=True) if word != ANY)
    return said or "whatever is asked"
