"""What an import changes: lines meet what is there, and the same file twice changes nothing the second time.

A line is about an entry that is there already when both have a record's id, an SSN, or full name and date of birth in
common, and the category is the same. Such an entry is added to and never lessened: what would take protection away is not
taken, and told; `registry change` proposes it to a second steward. The personnel directory is another's register: its newer
line replaces the older.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proxy.registry.changes import NOTHING, divided
from proxy.registry.check import risks
from proxy.registry.person import Declared, Entry, Staff

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
    from datetime import datetime

    from proxy.registry.check import Finding
    from proxy.registry.lines import EntryLine, StaffLine


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of each line. ``rejected`` and ``notes`` hold line numbers with reasons, never values."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)


def plan_entries(
    existing: Iterable[Entry],
    lines: Iterable[EntryLine],
    report: Report,
    *,
    by: str,
    now: datetime,
    new_id: Callable[[], str],
    concealed: Collection[str],
) -> dict[str, Entry]:
    """Return the entries to write by id, and count into ``report``; ``concealed`` are the categories that policy conceals."""
    entries = {entry.id: entry for entry in existing}
    known: dict[Hashable, str] = {}
    for entry in entries.values():
        _remember(known, entry)
    lines = list(lines)
    enrolled = {entry.household for entry in entries.values() if entry.category} | {
        line.household for line in lines if line.category
    }
    changed: dict[str, Entry] = {}
    fresh_ids: set[str] = set()
    numbers: dict[str, int] = {}
    for line in lines:
        if not line.category and line.household not in enrolled:
            report.rejected.append((line.number, "nobody of this household is enrolled: give a category"))
            continue
        report.notes += [(line.number, note) for note in line.notes]
        fresh = Entry(
            id=new_id(), category=line.category, basis=line.basis, household=line.household, enrolled_by=by, enrolled_at=now,
            expires=line.expires, review=line.review, fields=line.fields, identifiers=line.identifiers,
        )  # fmt: skip
        same = next((known[key] for key in _keys(fresh) if key in known), None)
        if same is None:
            report.added += 1
            entry = fresh
            fresh_ids.add(entry.id)
        else:
            entry = entries[same].merged(fresh)
            if same not in fresh_ids:
                entry, less = divided(entries[same], entry)
                if less != NOTHING:
                    said = f"{', '.join(less.what())} not changed: `registry change` proposes it to a second steward"
                    report.notes.append((line.number, said))
            if entry == entries[same]:
                report.unchanged += 1
                continue
            report.updated += 1
        entries[entry.id] = changed[entry.id] = entry
        numbers[entry.id] = line.number
        _remember(known, entry)
    report.notes += sorted(_risky(risks((each for each in entries.values() if not each.expired(now)), concealed), numbers))
    return changed


def plan_staff(
    existing: Iterable[Staff], lines: Iterable[StaffLine], report: Report, *, whole: bool, new_id: Callable[[], str]
) -> tuple[dict[str, Staff], list[str]]:
    """Return the lines to write by row, and the rows to remove (with ``whole``: all that the file does not have)."""
    existing = list(existing)
    lines = list(lines)
    known = {_staff_key(staff): staff for staff in existing}
    people = {line.personnel for line in lines if line.declared is Declared.OWN}
    if not whole:
        people |= {staff.personnel for staff in existing if staff.declared is Declared.OWN}
    changed: dict[str, Staff] = {}
    kept: set[str] = set()
    for line in lines:
        if line.personnel not in people:
            report.rejected.append((line.number, "no line of this personnel id itself, here or in the directory"))
            continue
        report.notes += [(line.number, note) for note in line.notes]
        if line.supervisor and line.supervisor not in people:
            report.notes.append((line.number, "the supervisor is not in the directory"))
        fresh = Staff(
            id=new_id(), personnel=line.personnel, declared=line.declared, agency=line.agency, squad=line.squad,
            supervisor=line.supervisor, household=line.household, rank=line.rank,
            identifiers=line.identifiers,
        )  # fmt: skip
        same = known.get(_staff_key(fresh))
        if same is None:
            report.added += 1
        else:
            fresh = replace(fresh, id=same.id)
            kept.add(same.id)
            if fresh == same:
                report.unchanged += 1
                continue
            report.updated += 1
        known[_staff_key(fresh)] = changed[fresh.id] = fresh
        kept.add(fresh.id)
    # A line that was not taken may be the newer one of somebody who would go.
    gone = [staff.id for staff in existing if staff.id not in kept] if whole and not report.rejected else []
    report.removed = len(gone)
    return changed, gone


def _risky(found: Iterable[Finding], numbers: Mapping[str, int]) -> set[tuple[int, str]]:
    """Return what is risky about the entries that lines made or changed."""
    return {(numbers[entry], each.detail) for each in found for entry in each.entries if entry in numbers}


def _keys(entry: Entry) -> list[Hashable]:
    """Return what makes two entries one: a person's strong marks, or, with none, the very same content."""
    marks: list[Hashable] = [(entry.category, mark) for mark in sorted(entry.identifiers.same_person())]
    return marks or [(entry.category, entry.household, entry.identifiers)]


def _remember(known: dict[Hashable, str], entry: Entry) -> None:
    for key in _keys(entry):
        known.setdefault(key, entry.id)


def _staff_key(staff: Staff) -> Hashable:
    if staff.declared is Declared.OWN:
        return staff.personnel
    marks = sorted(staff.identifiers.same_person())
    return (staff.personnel, staff.declared, marks[0] if marks else staff.identifiers)
