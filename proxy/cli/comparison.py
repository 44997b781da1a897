"""``policy diff`` and ``policy matrix``: what would a change of the policy change, and what does it all come to?"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, done, emit, say
from proxy.cli.policies import PoliciesOption, counted, folder_of, ruled, ruling_as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.policy.differences import Difference
    from proxy.policy.edits import Edit
    from proxy.policy.service import PolicySet


def diff(
    before: Annotated[Path, typer.Argument(help="A folder of policy files, as it is.")],
    after: Annotated[Path, typer.Argument(help="A folder of policy files, as it would be.")],
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Tell which decisions change from one policy to another, of all that there are: what loosens first, one example each.

    Then what changes beside the rulings: budgets, purposes, routes, recognition; cases and invariants that are gone or other.

    Exit 1 when anything changes.
    """
    from proxy.policy.differences import differences, joint_size  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.edits import edits  # noqa: PLC0415
    from proxy.policy.gate import promise_edits  # noqa: PLC0415
    from proxy.policy.rows import SHEET  # noqa: PLC0415
    from proxy.policy.service import load_policies  # noqa: PLC0415

    one, other = load_policies(before), load_policies(after)
    found = differences(one.lattice, other.lattice)
    others = [each for each in (*edits(one, other), *promise_edits(one, other)) if each.file != SHEET]
    questions = joint_size(one.lattice, other.lattice)
    if as_json:
        emit(
            {
                "before": one.version,
                "after": other.version,
                "loosens": any(each.loosens for each in found) or any(each.loosens for each in others),
                "questions": questions,
                "changed": sum(each.count for each in found),
                "beside": [each._asdict() for each in others],
                "differences": [_difference_as_json(each) for each in found],
            }
        )
    else:
        _print(one, other, found, questions, others)
    if found or others:
        raise done(Code.FOUND)


def _print(one: PolicySet, other: PolicySet, found: Sequence[Difference], questions: int, others: Sequence[Edit]) -> None:
    from proxy.policy.gate import told  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.vocabulary import ANY  # noqa: PLC0415

    for each in found:
        kind, change = each.kind, each.example
        how = f"LOOSER ({', '.join(kind.loosenings)})" if each.loosens else "not looser"
        what = f"{kind.before} by {kind.rule_before} -> {kind.after} by {kind.rule_after}"
        say(f"{what}: {counted(each.count, 'question')}, {how}")
        say(f"    concerns     {concerned(other, each)}")
        if ANY in each.smallest:
            say(f"    whenever     {told(each.smallest)}")
        say(f"    for example  {told(change.facts)}")
        say(f"    before       {ruled(change.before)}: {change.before.because}")
        say(f"    after        {ruled(change.after)}: {change.after.because}")
    changed = f"{sum(each.count for each in found):,} of {counted(questions, 'question')} decided otherwise"
    looser = f"{sum(each.count for each in found if each.loosens):,} of them looser"
    say(f"{one.version} -> {other.version}: {changed}, {looser}")
    for edit in others:
        say(f"beside the rulings: {edit}")


def concerned(after: PolicySet, difference: Difference) -> str:
    """Return whom and what a difference concerns, in words and groups; columns where it concerns every word are left out."""
    groups = {(column, words): group for (column, group), words in after.sheet.members().items()}
    told = []
    for column, words in zip(difference.smallest._fields, difference.concerns, strict=True):
        if not after.words.words[column] <= words:
            told.append(f"{column}: {groups.get((column, words)) or ' '.join(sorted(words))}")
    return "; ".join(told) or "whatever is asked"


def _difference_as_json(difference: Difference) -> dict[str, object]:
    kind, change = difference.kind, difference.example
    return {
        "from": kind.before,
        "to": kind.after,
        "rule_before": kind.rule_before,
        "rule_after": kind.rule_after,
        "loosens": difference.loosens,
        "looser_in": list(kind.loosenings),
        "questions": difference.count,
        "concerns": {c: sorted(words) for c, words in zip(difference.smallest._fields, difference.concerns, strict=True)},
        "smallest": difference.smallest._asdict(),
        "example": change.facts._asdict(),
        "before": ruling_as_json(change.before),
        "after": ruling_as_json(change.after),
    }


def matrix(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write the page; else standard output.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Write the policy as one page of HTML that needs nothing else: to read, to filter, to print, to hand to a council."""
    from proxy.policy.matrix import page, table_of  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.service import load_policies  # noqa: PLC0415

    loaded = load_policies(folder_of(config, policies))
    if as_json:
        emit(table_of(loaded))
        return
    text = page(loaded)
    if output is None:
        say(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        hint = "name a file in a folder that you may write to"
        raise CommandFailed(f"{output}: {error.strerror}", help=hint, code=Code.WRONG_USE) from None
    say(f"{output}: {counted(len(loaded.sheet.rows), 'row')}, version {loaded.version}; open it in a browser, or print it")
