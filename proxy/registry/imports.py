"""``registry import`` and ``personnel import``: a file into the store, as often as one likes.

A line is taken whole or not at all, and every one not taken is told with its number and every reason. The lines of a file
are checked before anything is written, since a line may be of a household that a later one enrolls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from proxy.document import DocumentInvalid, Mistake
from proxy.registry.lines import ENTRY_KEYS, STAFF_KEYS, LineRefused, entry_line, staff_line
from proxy.registry.tabular import MOST_LINE, HeaderInvalid, read_csv, read_jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import Any, BinaryIO

    from proxy.registry.enrollment import Report
    from proxy.registry.lines import EntryLine
    from proxy.registry.service import Registry

Line = TypeVar("Line")
_BOM: Final = b"\xef\xbb\xbf"


def _nobody_listens(_count: int) -> None: ...


async def import_registry(
    registry: Registry,
    path: Path,
    *,
    categories: Iterable[str],
    by: str,
    now: datetime,
    classes: Iterable[str] = (),
    concealed: Collection[str] = (),
    read: Callable[[int], None] = _nobody_listens,
    wrote: Callable[[int], None] = _nobody_listens,
) -> Report:
    """Enroll everybody in a ``.csv`` or ``.jsonl`` file; importing never lessens protection.

    ``categories`` are those of vocabulary.yaml, ``classes`` those of fields.yaml; ``by`` is the steward. ``read`` hears
    bytes, ``wrote`` entries, as they go by. ``concealed`` are the categories that policy conceals from somebody.

    Raises:
        DocumentInvalid: the file as a whole cannot be read; nothing is written.
        RegistryUnreadable, DatabaseUnusable: as ``Registry.refresh``.
    """
    known, masked = frozenset(categories), frozenset(classes)

    def checked(number: int, raw: Mapping[str, Any]) -> EntryLine:
        return entry_line(number, raw, categories=known, classes=masked, now=now)

    rejected: list[tuple[int, str]] = []
    lines = list(_taken(path, ENTRY_KEYS, checked, rejected, read))
    return _with(rejected, await registry.enroll(lines, by=by, concealed=concealed, advance=wrote))


async def import_personnel(
    registry: Registry,
    path: Path,
    *,
    by: str,
    whole: bool = False,
    read: Callable[[int], None] = _nobody_listens,
    wrote: Callable[[int], None] = _nobody_listens,
) -> Report:
    """Bring the personnel directory up to a file; with ``whole``, whoever is not in the file is removed.

    Nothing is removed when a line was not taken: it might be the line of somebody who would go.

    Raises:
        DocumentInvalid: the file as a whole cannot be read; nothing is written.
        RegistryUnreadable, DatabaseUnusable: as ``Registry.refresh``.
    """
    rejected: list[tuple[int, str]] = []
    lines = list(_taken(path, STAFF_KEYS, staff_line, rejected, read))
    return _with(rejected, await registry.import_personnel(lines, by=by, whole=whole and not rejected, advance=wrote))


def read_lines(path: Path, read: Callable[[int], None] = _nobody_listens, *, apart: bool = False) -> Iterator[str]:
    """Yield the lines of a UTF-8 file; bytes that are not UTF-8 become lone surrogates, which no value may hold.

    ``apart``: each line stands for itself, so that one over the bound is cut there, to be refused, and spoils no other.

    Raises:
        DocumentInvalid: the file cannot be read, or a line that need not stand for itself is over the bound.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MOST_LINE + 1), b""), start=1):
                read(len(line))
                if len(line) > MOST_LINE:
                    if not apart:
                        raise _mistake(path, f"a line of more than {MOST_LINE} bytes", line=number)
                    _skip(file, line, read)
                    yield line.decode("latin-1")  # as many characters as bytes: more than a line may have
                    continue
                text = line.removeprefix(_BOM) if number == 1 else line
                yield text.decode("utf-8", "surrogateescape")
    except OSError as error:
        raise _mistake(path, error.strerror or "cannot be read", hint="check the path") from error


def _skip(file: BinaryIO, begun: bytes, read: Callable[[int], None]) -> None:
    """Read over the rest of a line, a piece at a time."""
    while begun and not begun.endswith(b"\n"):
        begun = file.readline(MOST_LINE)
        read(len(begun))


def _taken(
    path: Path,
    keys: Iterable[str],
    checked: Callable[[int, Mapping[str, Any]], Line],
    rejected: list[tuple[int, str]],
    read: Callable[[int], None],
) -> Iterator[Line]:
    match path.suffix.lower():
        case ".csv":
            raws = read_csv(read_lines(path, read), keys)
        case ".jsonl" | ".ndjson":
            raws = read_jsonl(read_lines(path, read, apart=True))
        case _:
            raise _mistake(path, "neither .csv nor .jsonl", hint="one person a line; CSV has a header line")
    try:
        for number, raw in raws:
            try:
                if isinstance(raw, LineRefused):
                    raise raw
                yield checked(number, raw)
            except LineRefused as refused:
                rejected.append((number, str(refused)))
    except HeaderInvalid as invalid:
        raise _mistake(path, str(invalid), column=invalid.column, hint=invalid.hint) from None


def _with(rejected: list[tuple[int, str]], report: Report) -> Report:
    report.rejected = sorted([*rejected, *report.rejected])
    return report


def _mistake(path: Path, message: str, *, line: int = 1, column: int = 1, hint: str | None = None) -> DocumentInvalid:
    return DocumentInvalid([Mistake(file=path, line=line, column=column, message=message, help=hint)])
