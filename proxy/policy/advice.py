"""What ``policy check`` tells beside mistakes: what can be loaded, and is not what its author means. Each says what to do next.

Dead rows come first, since a line whose loss would open something often is one that such a row leans on.
"""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final

from proxy.document import Mistake
from proxy.policy.cases import FOLDER as CASES
from proxy.policy.decision import OPEN, Outcome
from proxy.policy.invariants import FILE as INVARIANTS
from proxy.policy.lattice import Lattice
from proxy.policy.review import dead_rows, idle_groupings, losses, unanswered
from proxy.policy.rows import SHEET, only
from proxy.policy.service import FILES
from proxy.policy.vocabulary import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.policy.review import Loss
    from proxy.policy.rows import Row
    from proxy.policy.service import PolicySet

_READ: Final = frozenset({*FILES, INVARIANTS})
_LIKE_OURS: Final = ("*.csv", "*.csv.*", "*.conf", "*.conf.*", "*.yaml", "*.yaml.*", "*.yml")


def review(policies: PolicySet) -> tuple[Mistake, ...]:
    """Return what is not wrong but should be known: dead rows, lines whose loss opens access, useless routes, idle groups."""
    # An overlay is there to take the place of rows, and to be missed: so policy.csv is looked at by itself.
    base = only(policies.sheet, SHEET)
    alone = Lattice(base, policies.words)
    dead = [(row, policies.lattice) for row in dead_rows(policies.lattice) if row.file != SHEET]
    dead += [(row, alone) for row in dead_rows(alone)]
    found = [_at(policies, row.file, row.line, _dead(row, lattice)) for row, lattice in sorted(dead, key=_place)]
    unasked = [(row, alone) for row in _unasked(policies) if row not in {each for each, _ in dead}]
    found += [_at(policies, row.file, row.line, _never_asked(row)) for row, _ in sorted(unasked, key=_place)]
    told = [(loss.line.line, _told(loss)) for loss in losses(base, policies.words)]
    found += [_at(policies, SHEET, line, said) for line, said in sorted(told)]
    found += _unanswered(policies)
    found += [
        _at(policies, SHEET, idle.line, (f"no row names the group '{idle.group}'", "name it in a row, or take the line out"))
        for idle in sorted(idle_groupings(policies.sheet), key=lambda each: each.line)
    ]
    return (*found, *_unread(policies))


def _place(dead: tuple[Row, Lattice]) -> tuple[str, int]:
    return dead[0].file, dead[0].line


def _at(policies: PolicySet, file: str, line: int, said: tuple[str, str]) -> Mistake:
    return Mistake(file=policies.directory / file, line=line, column=1, message=said[0], help=said[1])


def _dead(row: Row, lattice: Lattice) -> tuple[str, str]:
    own = 1 << lattice.rows.index(row)
    deciding = {lattice.at(bits)[0] for bits in {lattice.matched(facts) for facts in lattice.cells()} if bits & own} - {row}
    names = sorted(each.rule for each in deciding)
    stricter = any(each.outcome is not row.outcome for each in deciding)
    hint = "there is no row that overrides a stricter one: narrow that one" if stricter else "they say the same already"
    return f"rule {row.rule} never decides: wherever it matches, {', '.join(names)} does", f"{hint}, or take this row out"


def _never_asked(row: Row) -> tuple[str, str]:
    message = f"rule {row.rule} never decides: purposes.yaml offers none of its actions under its codes"
    return message, "name codes and actions that go together there, or take the row out"


def _unasked(policies: PolicySet) -> tuple[Row, ...]:
    """Return the rows that answer or ask a supervisor, and whose codes offer none of their actions: no query comes to them."""
    members = policies.sheet.members()
    offered = {
        (code.name, action)
        for code in policies.catalogue.codes.values()
        for action in (code.actions if code.refused is None else ())
    }

    def names(column: str, said: str, word: str) -> bool:
        return said in {ANY, word} or word in members.get((column, said), ())

    return tuple(
        row
        for row in policies.sheet.rows
        if row.outcome in OPEN | {Outcome.ESCALATE}
        and not any(
            names("purpose", row.conditions.purpose, code) and names("action", row.conditions.action, action)
            for code, action in offered
        )
    )


def _told(loss: Loss) -> tuple[str, str]:
    asked = ", ".join(loss.facts)
    said = f"without this line ({asked}) would be {loss.after.outcome}, by {loss.after.rule}; it is {loss.before.outcome} now"
    return said, f"narrow {loss.after.rule}, so that it does not match there"


def _unanswered(policies: PolicySet) -> Iterator[Mistake]:
    """Yield the actions that every row denies, and the codes under which every row denies an action that they offer."""
    idle = unanswered(policies.lattice, policies.words.words["action"])
    for action in idle:
        hint = "write a row for it, or take its route out of routes.yaml"
        yield _at(policies, SHEET, 1, (f"no row ever answers the action '{action}'", hint))
    for code in policies.catalogue.codes.values():
        offered = frozenset[str]() if code.refused is not None else frozenset(code.actions) - {*idle}
        vain = [action for action in sorted(offered) if unanswered(policies.lattice, frozenset({action}), purpose=code.name)]
        if vain and policies.catalogue.positions is not None:
            message = f"no row ever answers {', '.join(vain)} under code {code.name}"
            hint = f"write a row, or put the code into a group of policy.csv: g3, {code.name}, <group>"
            yield policies.catalogue.positions.mistake(("codes", code.name, "actions"), message, hint=hint)


def _unread(policies: PolicySet) -> Iterator[Mistake]:
    """Yield what lies in the folder, looks like a part of the policy, and is read by nothing; and what ought to lie there."""
    folder = policies.directory
    lying = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name not in _READ]
    lying += [path for path in sorted((folder / CASES).glob("*/**/*")) if path.is_file()]
    for path in lying:
        if any(fnmatch(path.name.lower(), pattern) for pattern in _LIKE_OURS):
            hint = "give it the name that README.md has for it, or move it out of the folder"
            yield Mistake(file=path, line=1, column=1, message="nothing reads this file", help=hint)
    for name in (INVARIANTS, CASES):
        if not (folder / name).exists():
            message = f"there is no {name}, so that nothing is held against a change before it rules"
            yield _at(policies, name, 1, (message, "restore it; README.md shows what stands there"))
