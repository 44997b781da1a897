"""The files of an import, CSV or JSON Lines, as the values of each line; what a line says is looked at in ``lines.py``.

In CSV the values of a list are divided by ``;``, in JSON they are an array. No message quotes a value.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.document import suggest
from proxy.registry.lines import FIELDS, LISTS, SINGLE, LineRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST_LINE: Final = 1 << 16


class HeaderInvalid(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The first line of a CSV file does not name known columns; nothing of the file is taken. ``column`` is a character's."""

    def __init__(self, message: str, *, column: int = 1, hint: str | None = None) -> None:
        """Keep where it is and what to do."""
        super().__init__(message)
        self.column = column
        self.hint = hint


Raw = tuple[int, "Mapping[str, Any] | LineRefused"]


def read_csv(lines: Iterable[str], keys: Iterable[str]) -> Iterator[Raw]:
    """Yield the number and the values of each line, of several their first; lists are divided.

    Raises:
        HeaderInvalid: the first line is no header of known columns.
    """
    reader = csv.reader(lines, strict=True)
    known = frozenset(keys)
    try:
        written = next(reader, [])
    except csv.Error as error:
        raise HeaderInvalid("the first line is not CSV") from error
    header = [name.strip().lower() for name in written]
    _check_header(header, written, known)
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error:
            reason = "not CSV: a quotation mark is not closed, or stands where none can"
            yield first, LineRefused(reason + _and_on(first, reader.line_num))
            continue
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            yield first, LineRefused(f"{len(row)} values for {len(header)} columns" + _and_on(first, reader.line_num))
            continue
        if reader.line_num > first and any("\n" in cell for name, cell in zip(header, row, strict=True) if name in SINGLE):
            yield first, LineRefused("a value of several lines, where none can be" + _and_on(first, reader.line_num))
            continue
        yield first, {name: _cell(name, cell) for name, cell in zip(header, row, strict=True) if cell.strip()}


def read_jsonl(lines: Iterable[str], *, every: bool = False) -> Iterator[Raw]:
    """Yield the number and the object of each line; ``every``: of an empty one, too, which says nothing of anybody."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            if every:
                yield number, {}
            continue
        if len(line) > MOST_LINE:
            yield number, LineRefused(f"longer than {MOST_LINE} bytes")
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield number, LineRefused("not JSON")
            continue
        yield number, value if isinstance(value, dict) else LineRefused("not a JSON object")


def _check_header(header: list[str], written: list[str], known: frozenset[str]) -> None:
    for position, name in enumerate(header):
        column = len(",".join(written[:position])) + (2 if position else 1)
        if name not in known:
            hint = suggest(name, known) or f"known: {', '.join(sorted(known))}"
            raise HeaderInvalid(f"column {position + 1} of the header is unknown", column=column, hint=hint)
        if header.index(name) != position:
            raise HeaderInvalid(f"column {position + 1} of the header is there twice", column=column)
    if not header:
        raise HeaderInvalid("the file is empty", hint="the first line names the columns")


def _and_on(first: int, last: int) -> str:
    """Return what else is not taken: a quotation mark that is not closed takes in whoever stands on the next lines."""
    return f"; nothing of the lines to {last} is taken" if last > first else ""


def _cell(name: str, cell: str) -> object:
    return cell.split(";") if name in LISTS or name == FIELDS else cell
