"""Overlays: sets of rows for one law, each in a folder of its own, that can only make a policy stricter.

The strictest row wins, so a row that is added can open something only where nothing, or something stricter, was decided in
another form: a mask where no row matched, an escalation where the default denied, a notice that a stricter row does not have.
So every question that a row of an overlay answers is asked with and without it, and the overlay is refused if any is looser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import StringConstraints

from proxy.document import DocumentInvalid, Mistake, Strict, load_with_positions, suggest
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.rows import SHEET, overlay_file
from proxy.policy.strictness import loosenings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.policy.rows import Row, Sheet
    from proxy.policy.vocabulary import Words

FILE: Final = "overlays.yaml"
PATTERN: Final = overlay_file("*")
"""The rows of all overlays that are there, switched on or not."""
MOST_TOLD: Final = 20

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,11}$")]


class _Document(Strict):
    overlays: list[_Name]


def load_overlays(directory: Path) -> tuple[str, ...]:
    """Read which overlays are switched on.

    Raises:
        DocumentInvalid: the file is wrong, or names a folder that is not there.
    """
    document, positions = load_with_positions(directory / FILE, _Document)
    there = {path.parent.name for path in directory.glob(PATTERN)}
    mistakes = []
    for index, name in enumerate(document.overlays):
        if name in document.overlays[:index]:
            mistakes.append(positions.mistake(("overlays", index), f"the overlay '{name}' is there twice"))
        elif name not in there:
            hint = suggest(name, there) or f"known: {', '.join(sorted(there)) or 'none'}"
            message = f"there is no overlay '{name}': {directory / overlay_file(name)} is missing"
            mistakes.append(positions.mistake(("overlays", index), message, hint=hint))
    if mistakes:
        raise DocumentInvalid(mistakes)
    return tuple(document.overlays)


def loosened(directory: Path, base: Sheet, whole: Sheet, words: Words) -> Iterator[Mistake]:
    """Yield each row of an overlay that loosens a decision of ``base``, with one question that shows it."""
    before, after = Lattice(base, words), Lattice(whole, words)
    told: set[str] = set()
    for facts in after.cells():
        matching = after.matching(facts)
        added = [row for row in matching if row.file != SHEET]
        if not added or all(row.rule in told for row in added):
            continue
        was, is_ = ruling_of(before.matching(facts)), ruling_of(matching)
        looser = loosenings(was, is_)
        if looser:
            row = _blamed(added, is_.rule)
            told.update(each.rule for each in added)
            asked = ", ".join(facts)
            message = (
                f"{row.rule} loosens the policy, in its {', '.join(looser)}: ({asked}) would be {is_.outcome}, by {is_.rule}"
            )
            yield Mistake(
                file=directory / row.file,
                line=row.line,
                column=1,
                message=f"{message}; it is {was.outcome}, by {was.rule}",
                help="an overlay only makes stricter: narrow the row to what policy.csv answers, and keep its notices",
            )
            if len(told) >= MOST_TOLD:
                return


def _blamed(added: list[Row], rule: str) -> Row:
    return next((row for row in added if row.rule == rule), added[0])
