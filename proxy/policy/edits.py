"""What an edit of the policy folder changes, and whether it loosens anything: file by file, with the reason.

Whoever saves a file may make the policy stricter, and may reword it. Whatever is not shown here to be one of the two counts as
loosening, and needs a second person: a member that this module does not know, too. So it never has to be complete to be safe.

The rulings themselves are compared over the whole lattice (``differences``), whichever file they come from: a role that is
declared, a code that is taken away and a row that is moved all show there.
"""

from __future__ import annotations

from dataclasses import fields
from math import log2
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.audit.gate import Gate
from proxy.policy.approvals import TOLD
from proxy.policy.differences import differences
from proxy.policy.lattice import ruling_of
from proxy.policy.obligations import written_time
from proxy.policy.overlays import PATTERN
from proxy.policy.strictness import opens
from proxy.policy.vocabulary import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from proxy.audit.owed import Owed
    from proxy.inquiry.route import Broad, Route
    from proxy.policy.budgets import Glass
    from proxy.policy.decision import Facts
    from proxy.policy.differences import Difference
    from proxy.policy.lattice import Lattice
    from proxy.policy.service import PolicySet
    from proxy.purpose.catalogue import Catalogue, Code, Derivation


class Edit(NamedTuple):
    """One thing that changes: where, whether it loosens, and what in words."""

    file: str
    loosens: bool
    what: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{'loosens' if self.loosens else 'fine   '}  {self.file}: {self.what}"


BUDGETS: Final = ("queries", "fruitless", "records", "neighborhood", "references", "broad_counts")

Told = tuple[bool, str]
"""Whether it loosens, and what."""


def edits(before: PolicySet, after: PolicySet) -> tuple[Edit, ...]:
    """Return everything that changes, what loosens first; nothing only for two policies of the same bytes."""
    found: list[Edit] = []
    changed = [
        name
        for name in sorted(before.digests.keys() | after.digests.keys())
        if before.digests.get(name) != after.digests.get(name)
    ]
    if changed:
        found += [Edit("policy.csv", each.loosens, _told(each)) for each in differences(before.lattice, after.lattice)]
    for name in changed:
        compare = _rows if PurePosixPath(name).match(PATTERN) else COMPARED.get(name)
        if compare is None:
            found.append(Edit(name, loosens=True, what="changed, and nothing is known of what that loosens"))
            continue
        told = [Edit(name, *each) for each in compare(before, after)]
        if not told and not any(each.file == name for each in found):
            told = [Edit(name, loosens=False, what="wording, comments or order; nothing else changes")]
        found += told
    return tuple(sorted(found, key=lambda edit: not edit.loosens))


def loosening(found: Iterable[Edit]) -> tuple[Edit, ...]:
    """Return those that need a second person."""
    return tuple(edit for edit in found if edit.loosens)


def _told(change: Difference) -> str:
    kind = change.kind
    rulings = f"{kind.before} by {kind.rule_before} becomes {kind.after} by {kind.rule_after}"
    looser = f" ({', '.join(kind.loosenings)})" if change.loosens else ""
    facts = ", ".join(f"{column}={word}" for column, word in change.smallest._asdict().items() if word != "any")
    return f"{rulings}{looser} for {change.count} question{'s' if change.count > 1 else ''}: {facts or 'all'}"


def _nothing(_before: PolicySet, _after: PolicySet) -> Iterator[Told]:
    return iter(())


def _rows(_before: PolicySet, _after: PolicySet) -> Iterator[Told]:
    yield False, "the rows of an overlay; what they change is told of policy.csv"


def _overlays(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    """What is switched on or off shows in the rulings, so by itself it is neither looser nor stricter."""
    for name in sorted({*before.overlays} ^ {*after.overlays}):
        yield False, f"{name} is switched {'on' if name in after.overlays else 'off'}; what that changes is told of policy.csv"


def _approvals(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    """Compare what holds of everybody who decides; what stages demand shows in the rulings of the rows that name them."""
    old, new = before.approvals, after.approvals
    for name in sorted(old.stages.keys() | new.stages.keys()):
        if old.stages.get(name) != new.stages.get(name):
            was = "is another" if name in old.stages and name in new.stages else "comes or goes"
            yield False, f"the stage {name} {was}; what that changes is told of policy.csv"
    if old.ranks != new.ranks:
        yield False, "the ranks are others; what that changes is told of policy.csv"
    if old.within != new.within:
        yield new.within < old.within, f"reciprocity: within {written_time(old.within)} becomes {written_time(new.within)}"
    if old.each != new.each:
        yield new.each > old.each, f"reciprocity: each {old.each} becomes {new.each}"
    if old.ring != new.ring:
        yield new.ring < old.ring, f"reciprocity: ring {old.ring} becomes {new.ring}"
    if old.nobody != new.nobody:
        later = old.nobody.role != new.nobody.role or (new.nobody.within or 0) > (old.nobody.within or 0)
        yield later, f"nobody_on_duty: {_page(old.nobody)} becomes {_page(new.nobody)}"
    if old.told != new.told:
        yield TOLD.index(new.told) > TOLD.index(old.told), f"told: {old.told} becomes {new.told}"
    yield from _others(old, new, {"ranks", "stages", "within", "each", "ring", "nobody", "told"}, "it")


def _page(owed: Owed) -> str:
    return f"{owed.role}/{written_time(owed.within or 0)}"


def _budgets(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    for name in BUDGETS:
        old, new = getattr(before.budgets, name), getattr(after.budgets, name)
        if old != new:
            yield (new < old if name == "broad_counts" else new > old), f"{name}: {old} becomes {new}"
    yield from _emergencies(before.budgets.glass, after.budgets.glass)
    yield from _samples(before, after)
    yield from _others(before.budgets, after.budgets, {*BUDGETS, "glass", "sample"}, "budget")


def _emergencies(old: Glass, new: Glass) -> Iterator[Told]:
    if old != new:
        more = new.most > old.most or new.within < old.within
        yield more, f"break_glass: {old.most} within {old.within} s becomes {new.most} within {new.within} s"


def _samples(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    """Fewer answers that are looked at, or later, is looser, for whichever code and action."""
    old, new = before.budgets.sample, after.budgets.sample
    if old == new:
        return
    codes, actions = ({*before.words.words[of], *after.words.words[of]} for of in ("purpose", "action"))
    pairs = [(old.rate(code, action), new.rate(code, action)) for code in codes for action in actions]
    fewer = any(was and (not now or now > was) for was, now in pairs)
    yield fewer or new.within > old.within, f"sample: one in {old.one_in} becomes one in {new.one_in}, each rate as it says"


def _recognition(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    """Hold the thresholds against one another, for a registry of any size.

    What a category asks for is its bits, and as much more as the registry has doubled beyond ``size``. The two are lines that
    bend once, so one is nowhere above the other when it is not at its beginning, nor far out.
    """
    old, new = before.thresholds, after.thresholds
    beyond = log2(old.size / new.size)
    if old.size != new.size:
        yield beyond > 0, f"size: {old.size} becomes {new.size}"
    less = False
    for category in sorted({*before.vocabulary.categories, *after.vocabulary.categories}):
        was, now = old.categories.get(category, old.usual), new.categories.get(category, new.usual)
        if was != now:
            yield max(now, now + beyond) > was, f"{category}: {was:g} bits become {now:g}"
        less = less or min(now, now + beyond) < was
    if old.relations != new.relations:
        less = less or new.relations < old.relations
        yield (
            max(new.relations, new.relations + beyond) > old.relations,
            (f"relations: {old.relations:g} bits become {new.relations:g}"),
        )
    if old.name_alone_up_to != new.name_alone_up_to:
        yield (
            new.name_alone_up_to > old.name_alone_up_to,
            (f"name_alone_up_to: {old.name_alone_up_to} becomes {new.name_alone_up_to}"),
        )
    if less and (facts := recognizing_loosens(after.lattice)) is not None:
        asked = ", ".join(facts)
        yield True, f"more people are recognized, and the rows answer more about one who is than about one who is not ({asked})"
    yield from _others(old, new, {"size", "usual", "categories", "relations", "name_alone_up_to"}, "threshold")


def recognizing_loosens(lattice: Lattice) -> Facts | None:
    """Return a question that is answered with more because somebody is recognized or related in it, or None.

    Without one, to recognize more people lets nothing out.
    """
    for facts in lattice.cells():
        if facts.category == NONE and facts.relation == NONE:
            continue
        ruling = ruling_of(lattice.matching(facts))
        for less in (facts._replace(category=NONE), facts._replace(relation=NONE)):
            if less != facts and opens(ruling_of(lattice.matching(less)), ruling):
                return facts
    return None


def _fields(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    for name in sorted(before.fields.keys() - after.fields.keys()):
        yield True, f"{name}: the class is gone"
    for name in sorted(after.fields.keys() - before.fields.keys()):
        yield True, f"{name}: a new class, so that records whose registry entry names it are denied no longer"
    for name in sorted(before.fields.keys() & after.fields.keys()):
        old, new = before.fields[name], after.fields[name]
        if old.mask != new.mask:
            yield False, f"{name}: another text stands in the place of what is masked"
        yield from _others(old, new, {"name", "label", "meaning", "mask"}, name)


def _vocabulary(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    """Tell which words came and went. What that does to rulings is told by the lattice of both policies' words."""
    old, new = before.vocabulary, after.vocabulary
    for what, was, now in (("role", old.roles, new.roles), ("category", old.categories, new.categories)):
        for word in sorted(was.keys() - now.keys()):
            yield False, f"the {what} {word} is gone; rulings say what comes of that"
        for word in sorted(now.keys() - was.keys()):
            yield False, f"a new {what} {word}; rulings say what it may"
    for category in sorted(new.categories):
        group = old.category_group(category), new.category_group(category)
        if new.nameable(category) and not old.nameable(category):
            yield True, f"{category}: whoever decides on a query may be told the name"
        elif category in old.categories and group[0] != group[1]:
            yield False, f"{category}: group: {group[0]} becomes {group[1]}"
    # The groups of the columns are shorthand in rows.
    yield from _others(old, new, {"roles", "categories", "category_groups", "groups", "positions"}, "vocabulary")


def _routes(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    old, new = before.routes.by_id, after.routes.by_id
    for name in sorted(old.keys() - new.keys()):
        yield False, f"{name} is gone"  # no two routes can mean one request, so it means nothing now
    for name in sorted(new.keys() - old.keys()):
        yield True, f"a new route {name}"
    for name in sorted(old.keys() & new.keys()):
        yield from ((each, f"{name}: {what}") for each, what in _route(old[name], new[name]))


def _route(old: Route, new: Route) -> Iterator[Told]:
    if old.most != new.most:
        yield new.most > old.most, f"most: {old.most} becomes {new.most}"
    if old.cut != new.cut:
        yield new.cut is None or (old.cut is not None and new.cut > old.cut), f"cut: {old.cut} becomes {new.cut}"
    if old.officer_safety != new.officer_safety:
        yield new.officer_safety, f"officer_safety: {old.officer_safety} becomes {new.officer_safety}"
    if old.gate != new.gate:
        yield (
            new.gate is not Gate.WITNESS,
            f"gate: {old.gate or 'as the settings say'} becomes {new.gate or 'as the settings say'}",
        )
    yield from _broad(old.broad, new.broad)
    yield from _others(old, new, {"most", "cut", "officer_safety", "gate", "broad", "shape"}, "it")


def _broad(old: Broad | None, new: Broad | None) -> Iterator[Told]:
    if old == new:
        return
    if old is None or new is None:
        yield old is None, "broad searches are offered" if old is None else "broad searches are gone"
    elif (old.action, old.require) == (new.action, new.require):
        yield new.most > old.most, f"broad: most: {old.most} becomes {new.most}"
    else:
        yield True, "other broad searches are offered"


def _purposes(before: PolicySet, after: PolicySet) -> Iterator[Told]:
    old, new = before.catalogue, after.catalogue
    for name in sorted(old.codes.keys() - new.codes.keys()):
        yield False, f"the code {name} is gone"
    for name in sorted(new.codes.keys() - old.codes.keys()):
        yield new.codes[name].refused is None, f"a new code {name}"
    for name in sorted(old.codes.keys() & new.codes.keys()):
        yield from ((each, f"{name}: {what}") for each, what in _code(old.codes[name], new.codes[name]))
    yield from _derived(old.derivation, new.derivation)
    yield from _common(old, new)


def _code(old: Code, new: Code) -> Iterator[Told]:
    if new.refused is not None:
        if old.refused is None:
            yield False, "refused from now on"
        return  # what else is said of a code that nobody may use has no effect
    if old.refused is not None:
        yield True, "refused no longer"
    for what in ("accepts", "standings", "actions"):
        yield from _set(what, getattr(old, what), getattr(new, what), more_is_looser=True)
    yield from _set("requires", old.requires, new.requires, more_is_looser=False)
    if old.statement_required != new.statement_required:
        yield old.statement_required, f"statement: required: {old.statement_required} becomes {new.statement_required}"
    if old.statement_words != new.statement_words:
        yield (
            new.statement_words < old.statement_words,
            f"statement: words: {old.statement_words} becomes {new.statement_words}",
        )
    if old.grace != new.grace:
        yield new.grace > old.grace, f"closed_grace_days: {old.grace.days} becomes {new.grace.days}"
    if old.permissible_use != new.permissible_use:
        yield new.permissible_use is not None, f"permissible_use: {old.permissible_use} becomes {new.permissible_use}"
    if old.label != new.label:
        yield True, "label: other words, so that a statement may now repeat those before"
    known = {"accepts", "standings", "actions", "requires", "statement_required", "statement_words", "grace", "permissible_use"}
    yield from _others(old, new, known | {"label", "meaning", "refused"}, "it")


def _derived(old: Derivation | None, new: Derivation | None) -> Iterator[Told]:
    if old is None or new is None:
        if old is not new:
            yield old is None, "derived: dispatched events speak for themselves" + (", no longer" if new is None else "")
        return
    yield from _set("derived: kinds", old.kinds, new.kinds, more_is_looser=True)
    if old.grace != new.grace:
        yield new.grace > old.grace, f"derived: closed_grace_days: {old.grace.days} becomes {new.grace.days}"
    yield from _others(old, new, {"kinds", "grace"}, "derived")


def _common(old: Catalogue, new: Catalogue) -> Iterator[Told]:
    yield from _set("motor_vehicles: actions", old.motor_vehicle_actions, new.motor_vehicle_actions, more_is_looser=False)
    yield from _set("permissible_uses", list(old.permissible_uses), list(new.permissible_uses), more_is_looser=True)
    yield from _set("empty_words", old.empty_words, new.empty_words, more_is_looser=False)
    known = {"codes", "derivation", "motor_vehicle_actions", "permissible_uses", "empty_words", "jurisdiction", "positions"}
    yield from _others(old, new, known, "it")


def _set(what: str, old: Collection[Any], new: Collection[Any], *, more_is_looser: bool) -> Iterator[Told]:
    more, less = set(new) - set(old), set(old) - set(new)
    if more:
        yield more_is_looser, f"{what}: {', '.join(sorted(map(str, more)))} added"
    if less:
        yield not more_is_looser, f"{what}: {', '.join(sorted(map(str, less)))} taken away"


def _others(old: Any, new: Any, known: Collection[str], what: str) -> Iterator[Told]:
    """Tell of every member that nothing above compares: nobody has said yet what would loosen it."""
    for field in fields(old):
        if field.name not in known and getattr(old, field.name) != getattr(new, field.name):
            yield True, f"{what}: {field.name} is another"


COMPARED: Final[Mapping[str, Callable[[PolicySet, PolicySet], Iterator[Told]]]] = {
    "approvals.yaml": _approvals,
    "budgets.yaml": _budgets,
    "fields.yaml": _fields,
    "model.conf": _nothing,  # only the one model is ever loaded
    "overlays.yaml": _overlays,
    "policy.csv": _nothing,  # the lattice tells
    "purposes.yaml": _purposes,
    "recognition.yaml": _recognition,
    "routes.yaml": _routes,
    "vocabulary.yaml": _vocabulary,
}
"""How two versions of each file are compared. A file that is not here loosens whenever it changes."""
