"""Records are found, masked and cut out in the text as it came; nothing is built anew.

Parsing a reply and writing it again would change what nobody asked to change: integers beyond 2**53, ``1.0e5``, key order,
escapes, white space. So the text is walked along the record path, every value is parsed only to find its end and to be
judged, and what must not leave is replaced at its span. The parser is the C scanner of the standard library made strict:
a key that is there twice (also as an escape of itself), NaN and Infinity, a byte order mark, invalid UTF-8, bytes after the
end and nesting beyond the interpreter's limit are refused, since another parser could read them as something else than we
judged (RFC 8259 §4, §8.1, §9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Final, NoReturn

from proxy.upstream.reply import ReplyUnreadable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_UNREADABLE: Final = "The records server's reply is not the JSON that its route describes. Tell the operator the instance."
_SPACE: Final = frozenset(" \t\n\r")


class Number(str):
    """A number as its text: integers of any size and every spelling of a float survive, and none is ever computed with."""

    __slots__ = ()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ReplyUnreadable(_UNREADABLE)
    return members


def _constant(_name: str) -> NoReturn:
    raise ReplyUnreadable(_UNREADABLE)


_DECODE: Final = JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_constant
).raw_decode


@dataclass(slots=True, eq=False)
class Record:
    """One record: its parsed value, its span in the text, and what is to become of it."""

    value: object
    start: int
    end: int
    withheld: bool = False


_Edit = tuple[int, int, str]

Masks = Mapping[str, "str | Masks"]
"""Of a record's members: the JSON text that stands for a string, or the same for the members of an object."""


class _Cuts:
    """Cuts elements out of an array, or members out of an object, each with the one comma that goes with it."""

    def __init__(self, edits: list[_Edit]) -> None:
        self._edits = edits
        self._kept: int | None = None
        self._open: tuple[int, int] | None = None

    def begin(self, start: int) -> None:
        """Come to an element; what was dropped before the first kept one goes with the comma after it."""
        if self._open is not None:
            self._edits.append((self._open[0], start, ""))
            self._open = None

    def end(self, start: int, end: int, *, drop: bool) -> None:
        """Leave an element; what is dropped after a kept one goes with the comma before it."""
        if not drop:
            self._kept = end
        elif self._kept is None:
            self._open = (start, end)
        else:
            self._edits.append((self._kept, end, ""))
            self._kept = end

    def close(self) -> None:
        """Come to the closing bracket."""
        if self._open is not None:
            self._edits.append((*self._open, ""))


class Splice:
    """One reply on its way out: read once from front to back, record by record, and edited at spans.

    ``path`` are the steps to a record: the name of a member, or None for every element of an array (at most once).
    ``envelope`` maps each member that may stand beside that path, dotted from the root, to whether it is kept: a single value
    then, since records could stand in anything else.
    """

    def __init__(self, body: bytes, *, path: tuple[str | None, ...], envelope: Mapping[str, bool]) -> None:
        """Decode the reply.

        Raises:
            ReplyUnreadable: the body is not UTF-8.
        """
        try:
            self._text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ReplyUnreadable(_UNREADABLE) from error
        self._body = body
        self._path = path
        self._envelope = envelope
        self._edits: list[_Edit] = []
        self._withheld = False

    def records(self) -> Iterator[Record]:
        """Yield each record; what the caller says of it (``withheld``, ``mask``) holds when the next is asked for.

        Raises:
            ReplyUnreadable: the text is not JSON in one reading only, or has not the shape of the path.
        """
        try:
            end = yield from self._walk(self._skip(0), 0)
        except (JSONDecodeError, RecursionError) as error:
            raise ReplyUnreadable(_UNREADABLE) from error
        if self._skip(end) != len(self._text):
            raise ReplyUnreadable(_UNREADABLE)

    def mask(self, record: Record, masks: Masks) -> None:
        """Replace the values of the members that ``masks`` names: a string by the JSON text given, anything else by ``null``.

        So the reply keeps its shape: what was text is text, what was null is null.
        """
        self._mask(record.start, masks)

    def _mask(self, start: int, masks: Masks) -> None:
        text = self._text
        position, more = self._enter(start, "{", "}")
        while more:
            name, value = self._key(position)
            _, end = _DECODE(text, value)
            mask = masks.get(name)
            if mask is not None and text[value:end] != "null":
                if isinstance(mask, str):
                    self._edits.append((value, end, mask if text[value] == '"' else "null"))
                else:
                    self._mask(value, mask)
            position, more = self._next(end, "}")

    def result(self) -> bytes:
        """Return what may leave, once every record has been seen: the very bytes that came where nothing was edited."""
        if not self._edits:
            return self._body
        pieces: list[str] = []
        copied = 0
        for start, end, replacement in self._edits:
            pieces += (self._text[copied:start], replacement)
            copied = end
        pieces.append(self._text[copied:])
        return "".join(pieces).encode("utf-8")

    def _walk(self, start: int, depth: int) -> Generator[Record, None, int]:
        """Go one step down the record path; the generator's value is the end of what stands at ``start``."""
        if depth < len(self._path):
            name = self._path[depth]
            return (yield from self._elements(start, depth) if name is None else self._descend(start, depth, name))
        value, end = _DECODE(self._text, start)
        record = Record(value, start, end)
        yield record
        self._withheld = record.withheld
        return end

    def _descend(self, start: int, depth: int, name: str) -> Generator[Record, None, int]:
        """Go through an object: into the member on the path, and past each beside it, which is kept or cut."""
        above = "".join([f"{step}." for step in self._path[:depth] if step is not None])
        cuts, seen = _Cuts(self._edits), set[str]()
        position, more = self._enter(start, "{", "}")
        while more:
            key, value = self._key(position)
            if key in seen:
                raise ReplyUnreadable(_UNREADABLE)
            seen.add(key)
            cuts.begin(position)
            if key == name:
                end, keep = (yield from self._walk(value, depth + 1)), True
            elif above + key in self._envelope:
                (beside, end), keep = _DECODE(self._text, value), self._envelope[above + key]
                if keep and isinstance(beside, (dict, list)):
                    raise ReplyUnreadable(_UNREADABLE)  # it could hold records, and nobody would judge them
            else:
                raise ReplyUnreadable(_UNREADABLE)
            cuts.end(position, end, drop=not keep)
            position, more = self._next(end, "}")
        cuts.close()
        if name not in seen:
            raise ReplyUnreadable(_UNREADABLE)
        return position

    def _elements(self, start: int, depth: int) -> Generator[Record, None, int]:
        """Go through an array: an element whose record is withheld is cut, and with it every edit inside."""
        cuts = _Cuts(self._edits)
        position, more = self._enter(start, "[", "]")
        while more:
            cuts.begin(position)
            edited = len(self._edits)
            end = yield from self._walk(position, depth + 1)
            if self._withheld:
                del self._edits[edited:]
            cuts.end(position, end, drop=self._withheld)
            position, more = self._next(end, "]")
        cuts.close()
        return position

    def _enter(self, start: int, opening: str, closing: str) -> tuple[int, bool]:
        """Return where the first item stands, or the end when there is none."""
        if self._text[start : start + 1] != opening:
            raise ReplyUnreadable(_UNREADABLE)
        position = self._skip(start + 1)
        if self._text[position : position + 1] == closing:
            return position + 1, False
        return position, True

    def _next(self, end: int, closing: str) -> tuple[int, bool]:
        """Return where the next item stands, or the end when there is none."""
        position = self._skip(end)
        mark = self._text[position : position + 1]
        if mark == closing:
            return position + 1, False
        if mark != ",":
            raise ReplyUnreadable(_UNREADABLE)
        return self._skip(position + 1), True

    def _key(self, position: int) -> tuple[str, int]:
        """Return a member's name, unescaped, and where its value stands."""
        if self._text[position : position + 1] != '"':
            raise ReplyUnreadable(_UNREADABLE)
        name, end = _DECODE(self._text, position)
        colon = self._skip(end)
        if self._text[colon : colon + 1] != ":":
            raise ReplyUnreadable(_UNREADABLE)
        return name, self._skip(colon + 1)

    def _skip(self, position: int) -> int:
        while self._text[position : position + 1] in _SPACE:
            position += 1
        return position
