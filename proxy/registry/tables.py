"""The sealed tables as the store has them: which there are, the manifest of each, and which rows were changed when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, cast, func

from proxy.database import METADATA
from proxy.registry.sealing import TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

REGISTRY: Final = "registry"
PERSONNEL: Final = "personnel"
PROPOSALS: Final = "proposals"
LEDGERS: Final = "ledgers"
SEALED: Final = (REGISTRY, PERSONNEL, PROPOSALS, LEDGERS)

AT_ONCE: Final = 256
"""So many rows are read, or asked for, in one statement."""


def _sealed_table(name: str) -> Table:
    return Table(name, METADATA, Column("id", String, primary_key=True), Column("sealed", LargeBinary, nullable=False))


TABLES: Final[Mapping[str, Table]] = {name: _sealed_table(name) for name in SEALED}
MANIFESTS: Final = _sealed_table("manifests")
CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("subject", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("generation", Integer, nullable=False),
    Index("changes_by_generation", "subject", "generation", "id"),
)
"""The last change of each row, removed ones too."""


def tag_of(sealed: ColumnElement[bytes]) -> ColumnElement[bytes]:
    """Return the tag at the end of a payload, which changes with it."""
    # Somebody may have put text in the place of bytes: it is to be found out by its tag, not by failing to be text.
    return func.substr(cast(sealed, LargeBinary), -TAG)
