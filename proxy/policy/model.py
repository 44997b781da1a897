"""The one Casbin model that this program is written for.

``model.conf`` has to equal it, but for comments and spacing. A model is code, not policy: the adapter, the lint and the
oracle hold for exactly this matcher, and of the ways to get a model subtly wrong (a matcher continued without a backslash,
a ``;`` between conditions, ``p`` without ``eft``, an attribute that is never compared) most load and fail open. What is
compared is fed to Casbin from here, so nothing can change between the check and the load. The file is there so that the
people who review ``policies/`` see how rows are matched, and so that other Casbin tools can read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.document import DocumentInvalid, Mistake
from proxy.policy.parser import policy_lines
from proxy.policy.rows import GROUP_PREFIXES
from proxy.policy.vocabulary import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

ATTRIBUTES: Final = ("priority", "eft", "outcome", "rule", *COLUMNS)
"""Casbin's ``p``: what our adapter derives, then what the file says. Obligations and reasons stay outside Casbin."""

# Cheapest and most selective first: simpleeval stops at the first clause that does not hold.
_ORDER: Final = ("approval", "category", "relation", "role", "standing", "action", "purpose")


def _clause(column: str) -> str:
    grouped = [prefix for prefix, named in GROUP_PREFIXES.items() if named == column]
    in_group = f" || {grouped[0]}(r.{column}, p.{column})" if grouped else ""
    return f'(p.{column} == "any" || r.{column} == p.{column}{in_group})'


MODEL_LINES: Final = (
    "[request_definition]",
    f"r = {', '.join(COLUMNS)}",
    "[policy_definition]",
    f"p = {', '.join(ATTRIBUTES)}",
    "[role_definition]",
    *(f"{prefix} = _, _" for prefix in GROUP_PREFIXES),
    "[policy_effect]",
    "e = priority(p.eft) || deny",
    "[matchers]",
    f"m = {' && '.join(_clause(column) for column in _ORDER)}",
)

MODEL: Final = "\n".join(MODEL_LINES) + "\n"


def check_model(path: Path, raw: bytes) -> None:
    """Compare the bytes of ``model.conf`` with the model that this program is written for.

    Raises:
        DocumentInvalid: it is another model; the first line that differs is named.
    """
    lines = policy_lines(path, raw)
    said = list(_logical(lines))
    for position, expected in enumerate(MODEL_LINES):
        number, text = said[position] if position < len(said) else (len(lines), "")
        if text != expected:
            raise _other(path, number, f"this is not the model that the program is written for: '{text[:60]}'", expected)
    if len(said) > len(MODEL_LINES):
        number, text = said[len(MODEL_LINES)]
        raise _other(path, number, f"one line too many: '{text[:60]}'", "nothing")


def _logical(lines: list[str]) -> list[tuple[int, str]]:
    """Return number and text of each logical line: comments gone, continuations joined, runs of spaces made one."""
    found: list[tuple[int, str]] = []
    pending: tuple[int, str] | None = None
    for number, line in enumerate(lines, start=1):
        text = " ".join(line.split(" ")).strip()
        if pending is None and (not text or text.startswith("#")):
            continue
        start, before = pending or (number, "")
        if text.endswith("\\"):
            pending = start, f"{before}{text[:-1].strip()} "
            continue
        pending = None
        found.append((start, " ".join(f"{before}{text}".split())))
    if pending is not None:
        found.append(pending)
    return found


def _other(path: Path, line: int, message: str, expected: str) -> DocumentInvalid:
    return DocumentInvalid([Mistake(file=path, line=line, column=1, message=message, help=f"expected: {expected}")])
