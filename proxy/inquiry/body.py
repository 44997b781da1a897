"""One reading of a JSON body, and the body that is forwarded: built anew from what was matched.

JSON parsers differ on duplicate keys (first, last or both), on big numbers, NaN, byte order marks and lone surrogates
(RFC 8259 §4, §6, §8); each of these is refused, so that the records server reads what we read. Numbers are kept as text
of any length and never computed with.
"""

from __future__ import annotations

import json
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Final, NoReturn

from proxy.inquiry.canonical import text_of
from proxy.inquiry.inquiry import (
    BodyTooLarge,
    BodyUnreadable,
    MediaTypeUnsupported,
    ParameterDuplicate,
    ParameterInvalid,
    ParameterUnknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.inquiry.inquiry import Inbound
    from proxy.inquiry.parameter import Parameter

MAX_BODY: Final = 65536
MAX_DEPTH: Final = 8
MAX_MEMBERS: Final = 256
MAX_DIGITS: Final = 128
SMALL_DIGITS: Final = 9


class _Number(str):
    """A number as its text."""

    __slots__ = ()


def whole(value: object) -> int | None:
    """Return a member's value as the small whole number that it is, or None for anything else."""
    return int(value) if isinstance(value, _Number) and len(value) <= SMALL_DIGITS and value.isdecimal() else None


class _Float(str):
    """A number with a fraction or an exponent, as its text."""

    __slots__ = ()


def read_body(inbound: Inbound, declared: Mapping[str, Parameter]) -> dict[str, str]:
    """Return the values of the body by (dotted) name, each declared, each once.

    Raises:
        MediaTypeUnsupported: it is not identity-coded JSON in UTF-8.
        BodyTooLarge: it is over the limit.
        BodyUnreadable: it is not one JSON object of the shape that the route declares.
        ParameterDuplicate: a key is there twice, at any depth, also as an escape of itself.
        ParameterUnknown: a key is not declared.
        ParameterInvalid: a value is not one of its field.
    """
    check_headers(inbound)
    if len(inbound.body) > MAX_BODY:
        raise BodyTooLarge(f"The body is larger than {MAX_BODY} bytes.")
    found: dict[str, object] = {}
    _flatten(parse_object(inbound.body), declared, "", found)
    return {name: _text(declared[name], value) for name, value in found.items()}


def write_body(
    values: Mapping[str, str], declared: Mapping[str, Parameter], order: tuple[tuple[str, tuple[str, ...]], ...]
) -> bytes:
    """Return the upstream's JSON object; ``order`` pairs our names with the members that lead to theirs."""
    root: dict[str, object] = {}
    for name, path in order:
        if name not in values:
            continue
        node = root
        for member in path[:-1]:
            node = node.setdefault(member, {})  # type: ignore[assignment]  # load_routes has found no path through a value
        node[path[-1]] = int(values[name]) if declared[name].integer else values[name]
    return json.dumps(root, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def check_headers(inbound: Inbound) -> None:
    """Accept identity-coded JSON in UTF-8; a browser cannot be made to send that to another site unasked.

    Raises:
        MediaTypeUnsupported: it is something else.
    """
    media_type, _, rest = (inbound.header("Content-Type") or "").partition(";")
    name, _, charset = rest.strip().partition("=")
    plain = not rest.strip() or (name.strip().lower() == "charset" and charset.strip().strip('"').lower() == "utf-8")
    if media_type.strip().lower() != "application/json" or not plain:
        raise MediaTypeUnsupported("Send the body as application/json in UTF-8.")
    if (inbound.header("Content-Encoding") or "identity").strip().lower() != "identity":
        raise MediaTypeUnsupported("Send the body uncompressed.")


def parse_object(raw: bytes) -> dict[str, object]:
    """Return a JSON object that has one reading.

    Raises:
        BodyUnreadable, ParameterDuplicate: it has none, or two.
    """
    try:
        text = raw.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        _refuse("The body is not UTF-8.")
    except (JSONDecodeError, RecursionError):
        _refuse("The body is not one JSON object.")
    if not isinstance(value, dict):
        _refuse("The body is not a JSON object.")
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ParameterDuplicate("A key of the body is there twice; send each one once.")
    return members


def _constant(_name: str) -> NoReturn:
    _refuse("The body holds NaN or Infinity, which are not JSON.")


_DECODER: Final = JSONDecoder(object_pairs_hook=_object, parse_int=_Number, parse_float=_Float, parse_constant=_constant)


def _flatten(
    value: dict[str, object], declared: Mapping[str, Parameter], prefix: str, found: dict[str, object], depth: int = 1
) -> None:
    if depth > MAX_DEPTH or len(found) + len(value) > MAX_MEMBERS:
        _refuse(f"The body is nested deeper than {MAX_DEPTH} or has more than {MAX_MEMBERS} members.")
    for key, member in value.items():
        name = f"{prefix}{key}"
        # A key with a dot would be the same name as a nested one.
        if "." in key or not key:
            raise ParameterUnknown("The body has a key that this route does not know.", known=sorted(declared))
        if isinstance(member, dict) and name not in declared:
            if not any(known.startswith(f"{name}.") for known in declared):
                raise ParameterUnknown("The body has a key that this route does not know.", known=sorted(declared))
            _flatten(member, declared, f"{name}.", found, depth + 1)
        elif name in declared:
            found[name] = member
        else:
            raise ParameterUnknown("The body has a key that this route does not know.", known=sorted(declared))


def _text(parameter: Parameter, value: object) -> str:
    number = isinstance(value, _Number)
    if isinstance(value, _Float) or not isinstance(value, str) or number is not parameter.integer:
        wanted = "a whole number" if parameter.integer else "text"
        raise ParameterInvalid(f"The value of '{parameter.name}' is not {wanted}.", parameter=parameter.name)
    if number and (len(value) > MAX_DIGITS or value == "-0"):
        raise ParameterInvalid(f"The value of '{parameter.name}' has too many digits.", parameter=parameter.name)
    return parameter.check(text_of(str(value), f"The value of '{parameter.name}'"))


def _refuse(detail: str) -> NoReturn:
    raise BodyUnreadable(detail)
