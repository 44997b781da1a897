"""One record against its declaration: which kinds of identifier it holds, and which classes of data.

A record with a member that the route does not declare is not read: it may hold anybody's name. So is one with a nested value
where none is declared, one whose identifiers could be spelled in several ways (``100123.0`` is not the id ``100123``), and one
with an identifier longer than any is.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.disclosure.splice import Number
from proxy.inquiry.inquiry import TEXT
from proxy.registry.meant import meant
from proxy.registry.normalize import MOST_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.disclosure.splice import Masks
    from proxy.inquiry.route import Shape
    from proxy.policy.fields import FieldClass

MOST_TEXT: Final = 4096
"""Free text that is longer is not read for names, so its record is withheld."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,40}\Z")


def read(value: object, declared: Shape, kinds: dict[str, list[str]], classes: set[str]) -> bool:
    """Collect a record's identifiers by kind and the classes of what is there; false when it is not as declared.

    Null and empty text say nothing and are passed over; a number is its text; an array of texts is several values.
    """
    if type(value) is not dict:
        return False
    for name, content in value.items():
        member = declared.get(name)
        if member is None:
            return False
        if content is None or content == "":
            continue
        if isinstance(member, dict):
            if not read(content, member, kinds, classes):
                return False
            continue
        classes.add(member.field_class)
        if member.kind is None:
            if not _plain(content):
                return False
        elif not _identifiers(
            content, kinds.setdefault(member.kind, []), MOST_TEXT if member.kind == TEXT else MOST_CHARACTERS
        ):
            return False
    return True


def masks_of(declared: Shape, masked: frozenset[str], fields: Mapping[str, FieldClass]) -> Masks:
    """Return the JSON text that stands in the place of each member whose class is masked."""
    masks: dict[str, str | Masks] = {}
    for name, member in declared.items():
        if isinstance(member, dict):
            inner = masks_of(member, masked, fields)
            if inner:
                masks[name] = inner
        elif member.field_class in masked:
            masks[name] = json.dumps(fields[member.field_class].mask)
    return masks


def left_of(declared: Shape, masked: frozenset[str]) -> Shape:
    """Return a record's declaration in which nothing that is masked identifies anybody."""
    return {
        name: left_of(member, masked)
        if isinstance(member, dict)
        else replace(member, kind=None)
        if member.field_class in masked
        else member
        for name, member in declared.items()
    }


def _plain(content: object) -> bool:
    """Tell whether a value without a kind is what can be declared: a scalar, or an array of scalars."""
    if type(content) is list:
        return not any(isinstance(element, (dict, list)) for element in content)
    return type(content) is not dict


def _identifiers(content: object, values: list[str], most: int) -> bool:
    """Append the texts that a value holds; false when it could be read as another identifier than it is."""
    if type(content) is str:
        # The registry reads no longer text: a name with a kilobyte of blanks behind it would be nobody's.
        if len(content) > most or not (content.isprintable() or _readable(content)):
            return False
        if (text := meant(content)) is not content and not _readable(text):
            return False
        values.append(text)
        return True
    if type(content) is Number:
        values.append(str(content))
        return _INTEGER.match(content) is not None
    if type(content) is list:
        return all(element is None or element == "" or _identifier(element, values, most) for element in content)
    return False


def _identifier(element: object, values: list[str], most: int) -> bool:
    return type(element) is not list and _identifiers(element, values, most)


def _readable(text: str) -> bool:
    """Tell whether a text is one: a lone surrogate is no character (RFC 8259 §8.2), and behind a NUL another reader stops."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return _CONTROL.search(text) is None
