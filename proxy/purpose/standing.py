"""The principal's relation to a case, as arithmetic on what the case directory holds.

A call sign is only unique within an agency, so a unit counts for the case's own agency; somebody from another agency has
standing by name, or by a unit that is written with its ORI (``unit:MO0480000/12A``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from proxy.purpose.purpose import Standing

if TYPE_CHECKING:
    from proxy.purpose.purpose import Case

KINDS: Final = ("incident", "cad", "case", "warrant", "docket", "permit")
"""The kinds of reference there are; a code accepts some of them."""

STANDINGS: Final = (Standing.ASSIGNED, Standing.DISPATCHED, Standing.UNIT, Standing.UNASSIGNED)
"""What a code can accept, the closest first."""

UNIT_PREFIX: Final = "unit:"


class Asker(Protocol):
    """What this room needs to know of a principal."""

    @property
    def person(self) -> str:
        """Return the personnel id."""
        ...

    @property
    def agency(self) -> str:
        """Return the nine-character ORI."""
        ...

    @property
    def unit(self) -> str | None:
        """Return the call sign or squad, if any."""
        ...


def standings(case: Case, asker: Asker) -> tuple[Standing, ...]:
    """Return every relation of the asker to the case, the closest first; none to another agency's case."""
    found = []
    units = _units(case, asker)
    if asker.person in case.assigned:
        found.append(Standing.ASSIGNED)
    if asker.person in case.dispatched or not units.isdisjoint(case.dispatched):
        found.append(Standing.DISPATCHED)
    if not units.isdisjoint(case.units):
        found.append(Standing.UNIT)
    if case.agency == asker.agency:
        found.append(Standing.UNASSIGNED)
    return tuple(found)


def _units(case: Case, asker: Asker) -> frozenset[str]:
    """Return the ways in which the case may name the asker's unit. A bare one never looks like a person: it is upper case."""
    if not asker.unit or not (case.dispatched or case.units):
        return frozenset()
    unit = asker.unit.upper()
    names = {f"{UNIT_PREFIX}{asker.agency}/{unit}"}
    if case.agency == asker.agency:
        names.add(f"{UNIT_PREFIX}{unit}")
        if unit != unit.lower():
            names.add(unit)
    return frozenset(names)
