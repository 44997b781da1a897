"""Marks: keyed hashes of what left, so that a published value can be traced to the entries that disclosed it.

A mark is HMAC-SHA256 of a value's form (``registry/forms.py``), cut to 16 bytes, under a key of its kind that is itself a token
of the index key: the same for any spelling, and without the key nobody can tell whose it is. Marks lie in the sealed part of
an entry, beside the names of the fields.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from proxy.disclosure.splice import Number
from proxy.registry.forms import form, joined, kind_of
from proxy.registry.meant import meant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proxy.audit.sealing import Sealer
    from proxy.inquiry.route import Field, Shape

Marker = Callable[[str, str], str]
"""Given a kind and a value as it is spelled, the mark."""
SPACE: Final = "mark"
MARK_DIGITS: Final = 32
JOINED: Final = "+"
"""Begins the name of what several fields make together: ``+name``, ``+born``."""
MOST_VALUES: Final = 8
"""Values of one field that are marked; further ones are seen, but leave no mark."""
LEAST_TEXT: Final = 5
"""Characters that a value without a kind must have to be marked: shorter ones (``F``, ``172``) fit thousands of people."""


class _Mac:
    """HMAC-SHA256 (RFC 2104) with both pads hashed beforehand: a long list has ten thousand values to mark."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def __call__(self, message: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.hexdigest()[:MARK_DIGITS]


def marker(sealer: Sealer) -> Callable[[], Marker]:
    """Return what makes a reply's marker, under the index key that is active as the reply comes.

    A mark is 32 hexadecimal digits, or nothing for no text. A marker remembers what it has marked: many records of a list
    share a town or a surname.
    """
    macs: dict[str, dict[str, _Mac]] = {}

    def begin() -> Marker:
        epoch = sealer.epoch
        of_kind = macs.setdefault(epoch, {})
        marks: dict[tuple[str, str], str] = {}

        def mark(kind: str, value: str) -> str:
            made = marks.get((kind, value))
            if made is None:
                mac = of_kind.get(kind)
                if mac is None:
                    mac = of_kind[kind] = _Mac(bytes.fromhex(sealer.token(SPACE, kind_of(kind), epoch)))
                known = form(kind, value)
                made = marks[kind, value] = mac(known.encode(errors="surrogatepass")) if known else ""
            return made

        return mark

    return begin


def mark(sealer: Sealer, kind: str, value: str) -> str:
    """Return the mark of one value under the active index key."""
    return marker(sealer)()(kind, value)


def marks_of(sealer: Sealer, kind: str, value: str) -> tuple[str, ...]:
    """Return the marks that a value may have been given: one under every index key that is still there."""
    known = form(kind, value).encode(errors="surrogatepass")
    return tuple(_Mac(bytes.fromhex(key))(known) for key in sealer.searches(SPACE, kind_of(kind)).values()) if known else ()


def seen_in(value: object, declared: Shape, hidden: frozenset[str], marking: Marker) -> tuple[dict[str, str], list[str]]:
    """Return the fields of a record that are there, with their marks, and those that are masked.

    The record is as its route declares. A field of several values has them numbered: ``phones``, ``phones[1]`` ….
    """
    seen: dict[str, str] = {}
    masked: list[str] = []
    for field, content in _fields(value, declared):
        if field.field_class in hidden:
            masked.append(field.name)
        elif isinstance(content, list):
            there = (element for element in content if element is not None and element != "")
            for number, element in enumerate(there):
                name = f"{field.name}[{number}]" if number else field.name
                seen[name] = _marked(field, element, marking) if number < MOST_VALUES else ""
        else:
            seen[field.name] = _marked(field, content, marking)
    return seen, masked


def joined_in(kinds: Mapping[str, Sequence[str]], marking: Marker) -> Iterator[tuple[str, str]]:
    """Yield the marks of what several fields that were seen make together."""
    for kind, known in joined(kinds):
        yield JOINED + kind, marking(kind, known)


def _fields(value: object, declared: Shape) -> Iterator[tuple[Field, object]]:
    assert isinstance(value, dict)
    for name, content in value.items():
        if content is None or content == "":
            continue
        member = declared[name]
        if isinstance(member, dict):
            yield from _fields(content, member)
        else:
            yield member, content


def _marked(field: Field, content: object, marking: Marker) -> str:
    text = meant(content) if isinstance(content, str) else str(content)
    if field.kind is not None:
        return marking(field.kind, text)
    return marking(field.field_class, text) if len(text) >= LEAST_TEXT and type(content) is not Number else ""
