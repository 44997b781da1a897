"""A YAML file becomes a checked model, or the list of every mistake in it with file, line, column and a caret.

YAML 1.2 by ruamel.yaml, since PyYAML silently keeps the last of two equal keys and reads ``22:30`` as 1350. Every file a
person edits (configuration, routes, purposes, fields, vocabulary) comes through here, so that they all complain alike.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

M = TypeVar("M", bound=BaseModel)

MAX_BYTES: Final = 4 << 20
YAML_HINTS: Final = {
    "alias": "put a text that begins with * into quotes",
    "expected alphabetic or numeric character": "put a text with * or & in it into quotes",
    "anchor": "put a text that begins with & into quotes",
    "character '\\t'": "indent with spaces, not with tabs",
    "mapping values are not allowed": "put a text with a colon in it into quotes",
    "duplicate key": "keep one of the two",
    "expected <block end>": "this line, or one of those above it, is indented otherwise than those beside it",
    "bad indentation": "this line, or one of those above it, is indented otherwise than those beside it",
    "could not find expected ':'": "a key is followed by a colon and a space",
    "expected ',' or ": "is a bracket not closed, or a comma missing?",
}
"""What people mean when YAML says what it thinks."""
TYPED_HINTS: Final = {
    "list_type": "write it in brackets: [one, another]",
    "int_type": "digits alone, as in 240; a comment behind it needs a space before its #",
    "bool_type": "true or false",
}
_TYPOGRAPHIC: Final = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake, where it stands (1-based), and what to do about it."""

    file: Path
    line: int
    column: int
    message: str
    help: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        """Return the message as compilers print it, with the line and a caret."""
        parts = [f"{self.file}:{self.line}:{self.column}: {self.message}"]
        if self.source is not None:
            parts += [f"    {self.source}", "    " + " " * (self.column - 1) + "^"]
        if self.help:
            parts.append(f"    help: {self.help}")
        return "\n".join(parts)


class DocumentInvalid(Exception):  # noqa: N818 -- it names what the document is, and holds all of its mistakes
    """A file that a person edits is wrong; ``mistakes`` holds every one found."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        """Keep the mistakes in the order of the file."""
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: (str(mistake.file), mistake.line, mistake.column)))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class Strict(BaseModel):
    """What a file may hold: no key that is not declared, no value of another type than is declared."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Positions:
    """Where each value of a document stands, addressed by its path of keys and indexes."""

    def __init__(self, file: Path, text: str, root: object) -> None:
        """Remember the parsed tree and the lines it came from."""
        self.file = file
        self._lines = text.splitlines()
        self._root = root

    def at(self, *path: str | int) -> tuple[int, int]:
        """Return line and column (1-based) of the deepest part of ``path`` that exists; a mapping's key counts as its place."""
        line, column = 1, 1
        node: object = self._root
        for step in path:
            if isinstance(node, CommentedMap) and step in node:
                line, column = _one_based(node.lc.key(step))
                node = node[step]
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and 0 <= step < len(node):
                line, column = _one_based(node.lc.item(step))
                node = node[step]
            else:
                break
        return line, column

    def value_at(self, *path: str | int) -> tuple[int, int]:
        """Return line and column of the value (not the key) at ``path``, or of the nearest part that exists."""
        parent: object = self._root
        for step in path[:-1]:
            if not isinstance(parent, (CommentedMap, CommentedSeq)):
                return self.at(*path)
            try:
                parent = parent[step]
            except (KeyError, IndexError, TypeError):
                return self.at(*path)
        if isinstance(parent, CommentedMap) and path and path[-1] in parent:
            return _one_based(parent.lc.value(path[-1]))
        return self.at(*path)

    def mistake(self, path: tuple[str | int, ...], message: str, *, value: bool = True, hint: str | None = None) -> Mistake:
        """Return a mistake at ``path``: at its value, or at its key when ``value`` is false."""
        line, column = self.value_at(*path) if value else self.at(*path)
        source = self._lines[line - 1] if 0 < line <= len(self._lines) else None
        return Mistake(file=self.file, line=line, column=column, message=message, help=hint, source=source)


def suggest(word: str, choices: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the nearest choice (in another case is nearest), or None when nothing is near."""
    options = sorted(choices)
    same = [option for option in options if option.casefold() == word.casefold()]
    near = same or difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else None


def load(path: Path, model: type[M]) -> M:
    """Read a YAML file into a pydantic model.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    return load_with_positions(path, model)[0]


def load_with_positions(path: Path, model: type[M]) -> tuple[M, Positions]:
    """Read a YAML file into a model, and keep the positions for the caller's own checks.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    text = _read(path)
    root = _parse(path, text)
    if root is None:
        help_ = "an empty file says nothing at all; restore it"
        raise DocumentInvalid([Mistake(file=path, line=1, column=1, message="the file is empty", help=help_)])
    return validate(_plain(root), model, Positions(path, text, root))


def validate(data: object, model: type[M], positions: Positions) -> tuple[M, Positions]:
    """Validate plain data that came from the document of ``positions`` (perhaps with overrides put in).

    Raises:
        DocumentInvalid: with every mistake found.
    """
    mistakes = [
        positions.mistake(path, f"{value[0]} is no quote here: it would be part of the text", hint="type quotes straight")
        for path, value in _texts(data, ())
        if value.startswith(tuple(_TYPOGRAPHIC))
    ]
    try:
        validated = model.model_validate(data)
    except ValidationError as error:
        mistakes += [_mistake(detail, model, positions) for detail in error.errors()]
    if mistakes:
        raise DocumentInvalid(mistakes)
    return validated, positions


def read_mapping(path: Path) -> tuple[dict[str, Any], Positions]:
    """Read a YAML file that must be a mapping into plain data, unvalidated, with its positions.

    Raises:
        DocumentInvalid: the file is not readable as one.
    """
    text = _read(path)
    root = _parse(path, text)
    positions = Positions(path, text, root)
    data = _plain(root)
    if not isinstance(data, dict):
        raise DocumentInvalid([positions.mistake((), "the file must be a mapping of names to values")])
    return data, positions


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise DocumentInvalid([Mistake(file=path, line=1, column=1, message=reason, help="check the path")]) from error
    if len(raw) > MAX_BYTES:
        raise DocumentInvalid([Mistake(file=path, line=1, column=1, message=f"the file is larger than {MAX_BYTES} bytes")])
    if raw.startswith(b"\xef\xbb\xbf"):
        raise DocumentInvalid(
            [Mistake(file=path, line=1, column=1, message="byte order mark", help="save the file without one")]
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise DocumentInvalid([Mistake(file=path, line=line, column=column, message=message, help="save as UTF-8")]) from None
    unseen = list(_unseen(path, text))
    if unseen:
        raise DocumentInvalid(unseen)
    return text


def _unseen(path: Path, text: str) -> Iterator[Mistake]:
    """Yield the characters that nobody sees.

    In comments, too: YAML ends a line at a lone carriage return, so that a key may hide behind what an editor and a reviewer
    take for a comment, and marks of direction turn around what is read (CVE-2021-42574).
    """
    for number, line in enumerate(re.split(r"\r?\n", text), start=1):
        for offset, character in enumerate(line):
            if character not in " \t" and unicodedata.category(character)[0] in "CZ":
                name = unicodedata.name(character, "control character")
                message = f"invisible character U+{ord(character):04X} ({name})"
                yield Mistake(file=path, line=number, column=offset + 1, message=message, help="delete it")


def _texts(data: object, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text of plain data, with its path."""
    if isinstance(data, str):
        yield at, data
    elif isinstance(data, (dict, list)):
        for step, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _texts(value, (*at, step))


def _parse(path: Path, text: str) -> object:
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    try:
        return yaml.load(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        lines = text.splitlines()
        source = lines[line - 1] if line <= len(lines) else None
        message = str(error.problem or error.context or "not YAML").split("\n", 1)[0]
        hint = next((hint for said, hint in YAML_HINTS.items() if said in message), None)
        raise DocumentInvalid(
            [Mistake(file=path, line=line, column=column, message=message, help=hint, source=source)]
        ) from None
    except (YAMLError, RecursionError, ValueError) as error:
        message = f"not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise DocumentInvalid([Mistake(file=path, line=1, column=1, message=message)]) from None


def _plain(node: object) -> object:
    """Strip ruamel's subclasses, which carry comments and quoting, from a tree of plain values."""
    if isinstance(node, CommentedMap):
        return {_plain(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, ScalarBoolean):
        return bool(node)
    for kind in (str, bool, int, float):
        if isinstance(node, kind):
            return kind(node)
    return node


def _one_based(mark: tuple[int, int]) -> tuple[int, int]:
    return mark[0] + 1, mark[1] + 1


def _mistake(detail: Any, model: type[BaseModel], positions: Positions) -> Mistake:
    # pydantic puts tags of unions and function names into `loc`; `at` stops at the first step that is not in the file.
    path = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _known(model, path[:-1])
        hint = suggest(str(path[-1]), known) or (f"known here: {', '.join(sorted(known))}" if known else None)
        return positions.mistake(path, f"unknown key '{path[-1]}'", value=False, hint=hint)
    if detail["type"] == "missing":
        return positions.mistake(path, f"'{path[-1]}' is missing", value=False, hint="add it under this key")
    message = str(detail["msg"]).removeprefix("Value error, ")
    hint = TYPED_HINTS.get(detail["type"])
    if detail["type"] in {"model_type", "dict_type"}:
        message, known = "names and values belong here", _known(model, path)
        hint = f"known here: {', '.join(sorted(known))}" if known else None
    if detail["type"] == "string_pattern_mismatch":
        message, hint = _misspelt(message, str(detail["input"]))
    expected = (detail.get("ctx") or {}).get("expected")
    if detail["type"] in {"literal_error", "enum"} and isinstance(detail["input"], str) and isinstance(expected, str):
        hint = suggest(detail["input"], [word.strip("' ") for word in expected.replace(" or ", ",").split(",")])
    return positions.mistake(path, message, hint=hint)


def _misspelt(message: str, said: str) -> tuple[str, str | None]:
    """Return what is wrong with a word that has another form than its kind of word, and what to do."""
    strange = next((character for character in said if ord(character) > 126), None)
    if strange is not None:
        name = unicodedata.name(strange, "?")
        return f"'{said}' holds {name} (U+{ord(strange):04X}), which only looks right", "type the word again"
    small = "^[a-z]" in message
    return message, "a small letter, then small letters, digits and what else the pattern names" if small else None


def _known(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the keys allowed at ``path`` below ``model``, as far as the annotations tell."""
    current: Any = model
    for step in path:
        found = None
        fields = getattr(current, "model_fields", {})
        annotation = fields[step].annotation if step in fields else current
        stack = [annotation]
        while stack:
            candidate = stack.pop()
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                found = candidate
                break
            stack.extend(getattr(candidate, "__args__", ()))
        if found is None:
            return []
        current = found
    return [field.alias or name for name, field in getattr(current, "model_fields", {}).items()]
