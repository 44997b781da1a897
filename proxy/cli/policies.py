"""What every command about a policy has in common: which folder, how a place in it is told, what is no word of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.common import Code, CommandFailed, settings_of
from proxy.document import suggest

if TYPE_CHECKING:
    from proxy.policy.decision import Facts, Ruling
    from proxy.policy.rows import Row
    from proxy.policy.service import PolicySet

PoliciesOption = Annotated[
    Path | None, typer.Option("--policies", help="A folder of policy files, instead of the one that the configuration names.")
]
"""``policies: PoliciesOption = None`` in a command's signature."""


def folder_of(config: Path, policies: Path | None) -> Path:
    """Return the folder of policy files that a command is about.

    Raises:
        DocumentInvalid: the configuration, which was needed to find it, is wrong.
    """
    return policies if policies is not None else settings_of(config).policies


def must_be_known(loaded: PolicySet, facts: Facts) -> None:
    """Refuse facts with a word that the policy does not have.

    Raises:
        CommandFailed: naming the nearest word.
    """
    for column, word in facts._asdict().items():
        known = loaded.words.words[column]
        if word not in known:
            hint = suggest(word, known) or f"known: {', '.join(sorted(known))}"
            raise CommandFailed(f"'{word}' is no {column}", help=hint, code=Code.WRONG_USE)


def place_of(loaded: PolicySet, row: Row | None) -> str:
    """Return a row's name and place, or ``default`` for none."""
    return "default" if row is None else f"{row.rule} ({loaded.directory / row.file}:{row.line})"


def ruling_as_json(ruling: Ruling) -> dict[str, object]:
    """Return a ruling as a JSON object."""
    from proxy.policy.rows import obligations  # noqa: PLC0415 -- the policy's room takes its time

    return {"outcome": ruling.outcome, "rule": ruling.rule, "obligations": obligations(ruling), "because": ruling.because}


def ruled(ruling: Ruling) -> str:
    """Return a ruling's outcome, and what goes with it where anything does."""
    from proxy.policy.rows import obligations  # noqa: PLC0415 -- the policy's room takes its time

    return f"{ruling.outcome} ({said})" if (said := obligations(ruling)) != "none" else str(ruling.outcome)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
