"""The strict reader of ``policy.csv``.

Casbin's own loader drops what it does not understand, and a dropped deny opens: of 71 malformed files that were tried, 28
load and fail open. This one reads a line only if every part of it is what it must be, and else says where and why:

* UTF-8 without byte order mark, NFC, lines that end in LF or CRLF, the last one too; no invisible or control characters;
* a line is empty, a comment (``#`` first), a row of eleven cells, or a grouping of three;
* no quotes, brackets, or comments behind a row; every cell filled; words from closed vocabularies, letter for letter;
* rule names are unique; obligations are known, and a mask row, and no other, says what it masks.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from proxy.document import DocumentInvalid, Mistake, suggest
from proxy.policy.decision import OPEN, Facts, Outcome
from proxy.policy.obligations import Reading as ObligationReading
from proxy.policy.rows import GROUP_PREFIXES, ROW_COLUMNS, SHEET, Grouping, Row, Sheet, make_sheet, overlay_file
from proxy.policy.vocabulary import ANY, COLUMNS, NONE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from proxy.audit.owed import Owed
    from proxy.policy.decision import Demand, Exigent
    from proxy.policy.obligations import Obligations
    from proxy.policy.vocabulary import Words

MAX_BYTES: Final = 1 << 20
MAX_ROWS: Final = 2_000  # a full scan costs Casbin five microseconds a row
MAX_LINE: Final = 600

_RULE: Final = re.compile(r"[A-Z][A-Z0-9-]{0,15}\Z")
_BECAUSE: Final = re.compile(r"[\w .;:'/&%+§\u2013-]{4,240}\Z")
_ODD: Final = re.compile(r"[^\w .;:'/&%+§\u2013-]")
_FORBIDDEN: Final = {
    '"': "quotes are not read as quotes: write the words without them",
    "`": "write the words without quotes",
    "(": "brackets are not allowed: write it in other words",
    ")": "brackets are not allowed: write it in other words",
    "[": "brackets are not allowed: write it in other words",
    "]": "brackets are not allowed: write it in other words",
    "{": "brackets are not allowed: write it in other words",
    "}": "brackets are not allowed: write it in other words",
    "\\": "a row stands on one line",
    "\t": "separate with spaces",
}


class Obliged(TypedDict):
    """The obligations of a row, as ``Row`` takes them."""

    masked: frozenset[str]
    owed: tuple[Owed, ...]
    demands: tuple[Demand, ...]
    tell: bool
    marked: bool
    exigent: Exigent | None


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    column: int


@dataclass(slots=True)
class _Reading:
    """One pass over one file: what has been read, and what is wrong so far."""

    path: Path
    words: Words
    fields: AbstractSet[str]
    rows: list[Row] = field(default_factory=list)
    groupings: list[Grouping] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)
    number: int = 0
    source: str = ""
    overlay: str = ""

    def wrong(self, column: int, message: str, help_: str | None = None) -> None:
        self.mistakes.append(
            Mistake(file=self.path, line=self.number, column=column, message=message, help=help_, source=self.source or None)
        )


def parse_policy(path: Path, raw: bytes, *, words: Words, fields: AbstractSet[str]) -> Sheet:
    """Read the bytes of a policy file; ``path`` is for messages only, ``fields`` are the known field classes.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    reading = _Reading(path=path, words=words, fields=fields)
    _read(reading, raw)
    return make_sheet(reading.rows, reading.groupings)


def parse_overlay(path: Path, raw: bytes, *, name: str, words: Words, fields: AbstractSet[str], base: Sheet) -> tuple[Row, ...]:
    """Read the rows of an overlay: no groupings, no permits, and rule names that begin with the overlay's own.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    reading = _Reading(path=path, words=words, fields=fields, groupings=list(base.groupings), overlay=name)
    _read(reading, raw)
    return tuple(reading.rows)


def _read(reading: _Reading, raw: bytes) -> None:
    for number, line in enumerate(policy_lines(reading.path, raw), start=1):
        reading.number, reading.source = number, line
        if _characters(reading, line):
            _line(reading, line)
    if not reading.mistakes:
        _whole(reading)
    if reading.mistakes:
        raise DocumentInvalid(reading.mistakes)


def read_obligations(
    text: str, outcome: Outcome, *, words: Words, fields: AbstractSet[str]
) -> tuple[Obliged, tuple[tuple[str, str | None], ...]]:
    """Read obligations as a row of ``outcome`` could say them; return them with each complaint and what to do about it."""
    reading = _Reading(path=Path(), words=words, fields=fields)
    said = _obligations(reading, outcome, _Cell(text, 1))
    return _obliged(said), tuple((mistake.message, mistake.help) for mistake in reading.mistakes)


def policy_lines(path: Path, raw: bytes) -> list[str]:
    """Return the lines of a text file, refusing every file that two programs could cut into different lines.

    Raises:
        DocumentInvalid: wrong coding, a byte order mark, odd line ends, empty, cut off, or too large.
    """

    def refuse(offset: int, message: str, help_: str) -> DocumentInvalid:
        line = raw.count(b"\n", 0, offset) + 1
        column = offset - (raw.rfind(b"\n", 0, offset) + 1) + 1
        return DocumentInvalid([Mistake(file=path, line=line, column=column, message=message, help=help_)])

    if not raw.strip():
        raise refuse(0, "the file is empty", "an empty policy is a lost policy; restore the file")
    if len(raw) > MAX_BYTES:
        raise refuse(0, f"the file is larger than {MAX_BYTES} bytes", "policies are rules, not lists of people")
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise refuse(0, "the file begins with a byte order mark", "save it as UTF-8 without one")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse(error.start, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8") from None
    for match in re.finditer(rb"\r(?!\n)|\x00", raw):
        raise refuse(match.start(), "a carriage return or NUL that ends no line", "save the file with ordinary line ends")
    if not raw.endswith(b"\n"):
        raise refuse(len(raw), "the last line does not end", "was the file cut off? end it with a line break")
    return text.replace("\r\n", "\n").split("\n")[:-1]


def _characters(reading: _Reading, line: str) -> bool:
    """Refuse a line with a character that is not what it seems; comments as well, since they are read by people."""
    before = len(reading.mistakes)
    if len(line) > MAX_LINE:
        reading.wrong(MAX_LINE + 1, f"the line is longer than {MAX_LINE} characters")
    if not unicodedata.is_normalized("NFC", line):
        offset = next(i for i in range(len(line)) if not unicodedata.is_normalized("NFC", line[: i + 1]))
        reading.wrong(offset + 1, "a letter is written in pieces (not NFC)", "type it again as one letter")
    is_comment = line.lstrip(" ").startswith("#")
    for offset, character in enumerate(line):
        if character != " " and (unicodedata.category(character)[0] in "CZ"):
            name = unicodedata.name(character, "control character")
            reading.wrong(
                offset + 1, f"invisible character U+{ord(character):04X} ({name})", _FORBIDDEN.get(character, "delete it")
            )
        elif not is_comment and character in _FORBIDDEN:
            reading.wrong(offset + 1, f"'{character}' is not allowed", _FORBIDDEN[character])
        elif not is_comment and character == "#":
            reading.wrong(offset + 1, "a comment stands on a line of its own", "move it to the line above")
    return len(reading.mistakes) == before


def _line(reading: _Reading, line: str) -> None:
    if not line.strip(" ") or line.lstrip(" ").startswith("#"):
        return
    cells = _cells(line)
    if reading.overlay and cells[0].text in {*GROUP_PREFIXES, Outcome.PERMIT}:
        # Who joins a group is answered by every permit that names the group, and a permit answers: both can only open.
        hint = "an overlay holds conceal, deny, escalate and mask rows; what opens something stands in policy.csv"
        reading.wrong(cells[0].column, f"a line of an overlay does not begin with '{cells[0].text}'", hint)
    elif cells[0].text in GROUP_PREFIXES:
        _grouping(reading, cells)
    elif cells[0].text in set(Outcome):
        _row(reading, cells)
    else:
        choices = [*Outcome, *GROUP_PREFIXES]
        hint = suggest(cells[0].text, choices) or f"a line starts with one of: {', '.join(choices)}"
        if ";" in cells[0].text:
            hint = "cells are divided by commas: was the file saved by a program that writes semicolons?"
        reading.wrong(cells[0].column, f"unknown beginning '{cells[0].text}'", hint)


def _reason(reading: _Reading, cell: _Cell) -> None:
    odd = _ODD.search(cell.text)
    if odd is not None:
        hint = "a typographic quote? type it straight: '" if odd[0] in "\u2018\u2019" else "write it in plain words"
        reading.wrong(cell.column + odd.start(), f"'{odd[0]}' is not allowed in 'because'", hint)
    elif not _BECAUSE.match(cell.text) or not any(character.isalpha() for character in cell.text):
        reading.wrong(cell.column, "'because' says nothing that can be read", "a reason in plain words, 4 to 240 characters")


def _cells(line: str) -> list[_Cell]:
    cells, start = [], 0
    for part in line.split(","):
        text = part.strip(" ")
        cells.append(_Cell(text, start + len(part) - len(part.lstrip(" ")) + 1))
        start += len(part) + 1
    return cells


def _complete(reading: _Reading, cells: list[_Cell], columns: tuple[str, ...]) -> bool:
    if len(cells) < len(columns):
        missing = ", ".join(columns[len(cells) :])
        message = f"{len(cells)} cells where {len(columns)} belong"
        reading.wrong(len(reading.source) + 1, message, f"missing at the end, or left out before: {missing}")
        return False
    if len(cells) > len(columns):
        message = f"{len(cells)} cells where {len(columns)} belong"
        reading.wrong(
            cells[len(columns)].column, message, f"nothing follows '{columns[-1]}'; it may hold no comma, use a semicolon"
        )
        return False
    empty = [(cell, column) for cell, column in zip(cells, columns, strict=True) if not cell.text]
    for cell, column in empty:
        names = column in {"rule", "because"}
        hint = f"each row has a {column} of its own" if names else "write 'any' or 'none' where nothing else is meant"
        reading.wrong(cell.column, f"'{column}' is empty", hint)
    return not empty


def _grouping(reading: _Reading, cells: list[_Cell]) -> None:
    prefix, column = cells[0].text, GROUP_PREFIXES[cells[0].text]
    if not _complete(reading, cells, (prefix, column, "group")):
        return
    member, group = cells[1], cells[2]
    good = _among(reading, member, reading.words.words[column] - {NONE}, column)
    good &= _among(reading, group, reading.words.groups[column], f"group of {column} words")
    key = f"{prefix},{member.text},{group.text}"
    if key in reading.first:
        reading.wrong(
            member.column, f"'{member.text}' is in '{group.text}' already, by line {reading.first[key]}", "delete one"
        )
    elif good:
        reading.first[key] = reading.number
        reading.groupings.append(Grouping(prefix=prefix, member=member.text, group=group.text, line=reading.number))


def _row(reading: _Reading, cells: list[_Cell]) -> None:
    if not _complete(reading, cells, ROW_COLUMNS):
        return
    before = len(reading.mistakes)
    outcome, rule = Outcome(cells[0].text), cells[1]
    if not _RULE.match(rule.text):
        reading.wrong(
            rule.column, f"'{rule.text}' is no rule name", "an upper-case letter, then upper-case letters, digits or -"
        )
    elif reading.overlay and not rule.text.startswith(prefix := f"{reading.overlay.upper()}-"):
        reading.wrong(rule.column, f"rule {rule.text} is of the overlay '{reading.overlay}'", f"call it {prefix}…")
    elif rule.text in reading.first:
        reading.wrong(
            rule.column, f"rule {rule.text} stands already on line {reading.first[rule.text]}", "give each its own name"
        )
    reading.first.setdefault(rule.text, reading.number)
    conditions = cells[2 : 2 + len(COLUMNS)]
    for column, cell in zip(COLUMNS, conditions, strict=True):
        _among(reading, cell, reading.words.words[column] | reading.words.groups[column] | {ANY}, column)
    said = Facts(*(cell.text for cell in conditions))
    _leaning(reading, outcome, said, conditions)
    obliged = _obligations(reading, outcome, cells[-2])
    _reason(reading, cells[-1])
    if len(reading.mistakes) == before:
        reading.rows.append(
            Row(
                outcome=outcome,
                rule=rule.text,
                conditions=said,
                because=cells[-1].text,
                line=reading.number,
                file=overlay_file(reading.overlay) if reading.overlay else SHEET,
                **_obliged(obliged),
            )
        )


def _obliged(said: Obligations) -> Obliged:
    return {
        "masked": said.masked,
        "owed": said.owed,
        "demands": said.demands,
        "tell": said.tell,
        "marked": said.marked,
        "exigent": said.exigent,
    }


def _leaning(reading: _Reading, outcome: Outcome, said: Facts, cells: list[_Cell]) -> None:
    """Refuse rows that are safe only as long as another row is there.

    A permit that says ``any`` leans on every stricter row: losing one of those opens access. Standing alone may be ``any``,
    for checks that belong to no case. An escalation that holds after approval could never end.
    """
    if outcome in OPEN:
        for column, word, cell in zip(COLUMNS, said, cells, strict=True):
            if word == ANY and column != "standing":
                reading.wrong(
                    cell.column,
                    f"a {outcome} row may not say 'any' {column}: it would lean on stricter rows being there",
                    "name the words or a group; what is not named is denied",
                )
    if outcome is Outcome.ESCALATE and said.approval != NONE:
        reading.wrong(cells[-1].column, "an escalate row asks for an approval, so 'approval' is 'none'", "write none")


def _obligations(reading: _Reading, outcome: Outcome, cell: _Cell) -> Obligations:
    return ObligationReading(
        fields=reading.fields,
        roles=reading.words.words["role"],
        stages=reading.words.stages,
        wrong=lambda message, help_: reading.wrong(cell.column, message, help_),
        among=lambda word, choices, what: _among(reading, _Cell(word, cell.column), choices, what),
        near=suggest,
    ).read(outcome, cell.text)


def _among(reading: _Reading, cell: _Cell, choices: Iterable[str], what: str) -> bool:
    allowed = frozenset(choices)
    if cell.text in allowed:
        return True
    strange = next((c for c in cell.text if ord(c) > 126), None)
    if strange is not None:
        name = unicodedata.name(strange, "?")
        reading.wrong(
            cell.column, f"'{cell.text}' holds {name} (U+{ord(strange):04X}), which only looks right", "type the word again"
        )
    elif not cell.text:
        reading.wrong(cell.column, f"a {what} is missing")
    else:
        hint = suggest(cell.text, allowed) or f"known: {', '.join(sorted(allowed))}"
        reading.wrong(cell.column, f"unknown {what} '{cell.text}'", hint)
    return False


def _whole(reading: _Reading) -> None:
    """Look at what only the whole file shows: that there are rows, not too many, and no group that nobody is in."""
    reading.number, reading.source = 1, ""
    if not reading.rows:
        reading.wrong(1, "the file has no rows", "every query would be denied; restore the file")
    if len(reading.rows) > MAX_ROWS:
        reading.wrong(1, f"more than {MAX_ROWS} rows", "policies are rules, not lists of people")
    filled = {(grouping.column, grouping.group) for grouping in reading.groupings}
    for row in reading.rows:
        for column, said in zip(COLUMNS, row.conditions, strict=True):
            groups = reading.words.groups[column] - reading.words.words[column] - {ANY}
            if said in groups and (column, said) not in filled:
                prefix = next(prefix for prefix, grouped in GROUP_PREFIXES.items() if grouped == column)
                reading.number = row.line
                reading.wrong(
                    1, f"rule {row.rule} names the group '{said}', which nobody is in", f"add: {prefix}, <{column}>, {said}"
                )
