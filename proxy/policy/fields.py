"""Field classes: what a piece of a record is about, and what stands in its place when policy masks it.

A mask keeps the reply's shape: the member stays, with its key, and its value, whatever it was, becomes the class's mask.
An absent value is masked like any other, because that there is none tells as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from proxy.document import Strict, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Phrase = Annotated[str, StringConstraints(min_length=3, max_length=300, strip_whitespace=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldClass:
    """One class of fields. ``mask`` is the text that stands in the place of any value, or None for null."""

    name: str
    label: str
    meaning: str
    mask: str | None


class _FieldClass(Strict):
    label: Phrase
    meaning: Phrase
    mask: Annotated[str, StringConstraints(max_length=64)] | None


class _Document(Strict):
    fields: dict[Word, _FieldClass]


def load_fields(path: Path) -> Mapping[str, FieldClass]:
    """Read ``fields.yaml``: field class by name.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document = load(path, _Document)
    return MappingProxyType(
        {
            name: FieldClass(name=name, label=entry.label, meaning=entry.meaning, mask=entry.mask)
            for name, entry in document.fields.items()
        },
    )
