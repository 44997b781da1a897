"""The policy files become one frozen ``PolicySet``, or the list of every mistake in all of them.

Everything is read, checked and built aside; only a set without a mistake is ever returned. Its version is the SHA-256 of
the files' names and contents, so equal versions mean equal rulings.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from proxy.digest import digest_of
from proxy.document import DocumentInvalid, Mistake, suggest
from proxy.inquiry.routes import load_routes
from proxy.policy.activation import version_of
from proxy.policy.approvals import load_approvals
from proxy.policy.budgets import load_budgets
from proxy.policy.decision import Demand
from proxy.policy.engine import CasbinPolicy
from proxy.policy.exigent import concealed, secret
from proxy.policy.fields import load_fields
from proxy.policy.model import check_model
from proxy.policy.nearest import nearest
from proxy.policy.overlays import load_overlays, loosened
from proxy.policy.parser import parse_overlay, parse_policy
from proxy.policy.rows import SHEET, make_sheet, overlay_file
from proxy.policy.vocabulary import ANY, NAMEABLE, NONE, Vocabulary, load_vocabulary
from proxy.purpose.catalogue import load_catalogue
from proxy.registry.thresholds import load_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from proxy.inquiry.route import RouteMap
    from proxy.policy.approvals import Approvals
    from proxy.policy.budgets import Budgets
    from proxy.policy.decision import Facts, Policy, Ruling
    from proxy.policy.fields import FieldClass
    from proxy.policy.lattice import Lattice
    from proxy.policy.nearest import Nearest
    from proxy.policy.rows import Row, Sheet
    from proxy.policy.vocabulary import Words
    from proxy.purpose.catalogue import Catalogue
    from proxy.registry.thresholds import Thresholds

FILES: Final = (
    "approvals.yaml", "budgets.yaml", "fields.yaml", "model.conf", "overlays.yaml", "policy.csv", "purposes.yaml",
    "recognition.yaml", "routes.yaml", "vocabulary.yaml",
)  # fmt: skip
"""The files that every policy has; the version covers these, and the rows of the overlays that are switched on."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """One loaded policy. ``version`` is the first twelve hex digits of ``digest``, which is the SHA-256 of the files.

    ``digests`` is the SHA-256 of each file alone, by name, and ``contents`` the bytes that it was read from.
    """

    directory: Path
    policy: Policy
    catalogue: Catalogue
    routes: RouteMap
    fields: Mapping[str, FieldClass]
    approvals: Approvals
    budgets: Budgets
    vocabulary: Vocabulary
    words: Words
    sheet: Sheet
    thresholds: Thresholds
    lattice: Lattice
    digest: str
    digests: Mapping[str, str]
    version: str
    text: str  # of policy.csv and of the overlays' rows behind it, as they were read
    contents: Mapping[str, bytes] = field(repr=False)
    overlays: tuple[str, ...] = ()

    @property
    def approvers(self) -> frozenset[str]:
        """Return every role that some row lets decide on an escalation."""
        return frozenset().union(*(demand.roles for row in self.sheet.rows for demand in row.demands))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why the facts are ruled on as they are: the deciding row (None is the default deny), and the others that matched.

    ``nearest`` are the facts that would have another outcome, with as few changes as may be.
    """

    facts: Facts
    ruling: Ruling
    deciding: Row | None
    others: tuple[Row, ...]
    nearest: Nearest


def load_policies(
    directory: Path,
    *,
    on_error: Callable[[Exception], None] | None = None,
    on_lookup: Callable[[str], None] | None = None,
) -> PolicySet:
    """Read, check and build the policy of a directory.

    ``on_error`` is told of every ruling that failed and became a deny, ``on_lookup`` of each cache ``hit`` and ``miss``.

    Raises:
        DocumentInvalid: with every mistake of every file.
        EngineUnsafe: the installed Casbin is not the one this program is safe with.
    """
    contents = _contents(directory)
    mistakes: list[Mistake] = []
    fields = _attempt(mistakes, lambda: load_fields(directory / "fields.yaml"))
    vocabulary = _attempt(mistakes, lambda: load_vocabulary(directory / "vocabulary.yaml"))
    routes = _attempt(mistakes, lambda: load_routes(directory / "routes.yaml"))
    roles = vocabulary.roles if vocabulary else None
    approvals = _attempt(mistakes, lambda: load_approvals(directory / "approvals.yaml", roles=roles))
    catalogue = _attempt(mistakes, lambda: load_catalogue(directory / "purposes.yaml"))
    codes = catalogue.codes if catalogue else None
    asked = {action for action, _ in routes.actions} if routes else None
    budgets = _attempt(mistakes, lambda: load_budgets(directory / "budgets.yaml", codes=codes, actions=asked))
    categories = vocabulary.categories if vocabulary else None
    thresholds = _attempt(mistakes, lambda: load_thresholds(directory / "recognition.yaml", categories=categories))
    _attempt(mistakes, lambda: check_model(directory / "model.conf", contents["model.conf"]))
    # Where a file that gives words is itself wrong, its words go unchecked for once, so that the mistakes of all the others
    # are told in the same run. Nothing is built from that.
    anything = frozenset(re.split(r"[,\s]+", contents["policy.csv"].decode("utf-8", "replace")))
    said = frozenset(re.split(r"[,;+=\s]+", " ".join(anything)))
    words = (vocabulary or _unchecked(anything)).words(
        actions=anything if asked is None else asked,
        purposes=catalogue.codes if catalogue else anything,
        stages=approvals.stages if approvals else {each: Demand(quorum=1, roles=frozenset(), name=each) for each in said},
    )
    known = frozenset(fields) if fields is not None else said
    path = directory / "policy.csv"
    sheet = _attempt(mistakes, lambda: parse_policy(path, contents["policy.csv"], words=words, fields=known))
    if sheet is not None and vocabulary is not None:
        mistakes.extend(_ungrouped(vocabulary, sheet))
    overlays = _attempt(mistakes, lambda: load_overlays(directory)) or ()
    rows: list[Row] = []
    for file in (overlay_file(name) for name in overlays if sheet is not None):
        parse = partial(parse_overlay, directory / file, contents.get(file, b""), name=file.split("/")[1])
        rows += _attempt(mistakes, partial(parse, words=words, fields=known, base=sheet)) or ()
    if routes is not None:
        mistakes.extend(_crossed(routes, catalogue, fields, words.groups["purpose"] if vocabulary else frozenset()))
    if contents != _contents(directory):
        mistakes.append(Mistake(file=directory, line=1, column=1, message="a file changed while it was read", help="try again"))
    if mistakes:
        raise DocumentInvalid(mistakes)
    assert approvals is not None
    assert budgets is not None
    assert fields is not None
    assert vocabulary is not None
    assert routes is not None
    assert catalogue is not None
    assert sheet is not None
    assert thresholds is not None
    digest = digest_of(contents)
    rules = sheet
    if overlays:
        rules = make_sheet((*sheet.rows, *rows), sheet.groupings)
        mistakes.extend(loosened(directory, sheet, rules, words))
    mistakes.extend((*concealed(directory, rules, words), *_named(vocabulary, secret(rules, words))))
    if mistakes:
        raise DocumentInvalid(mistakes)
    policy = CasbinPolicy(sheet=rules, words=words, version=version_of(digest), on_error=on_error, on_lookup=on_lookup)
    return PolicySet(
        directory=directory,
        policy=policy,
        catalogue=catalogue,
        routes=routes,
        fields=fields,
        approvals=approvals,
        budgets=budgets,
        vocabulary=vocabulary,
        words=words,
        sheet=rules,
        thresholds=thresholds,
        lattice=policy.lattice,
        digest=digest,
        digests={name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
        version=version_of(digest),
        text="".join(contents[file].decode("utf-8") for file in (SHEET, *map(overlay_file, overlays))),
        contents=contents,
        overlays=overlays,
    )


def explain(policies: PolicySet, facts: Facts) -> Explanation:
    """Return the ruling on the facts, every row that matched, and what would have to be otherwise."""
    ruling = policies.policy.rule(facts)
    matching = policies.lattice.matching(facts)
    deciding = matching[0] if matching and matching[0].rule == ruling.rule else None
    others = tuple(row for row in matching if row is not deciding)
    return Explanation(facts=facts, ruling=ruling, deciding=deciding, others=others, nearest=nearest(policies.lattice, facts))


def policy_files(directory: Path) -> tuple[str, ...]:
    """Return the names of the files that together are the policy of a folder: those of the overlays switched on come last."""
    try:
        return (*FILES, *map(overlay_file, load_overlays(directory)))
    except DocumentInvalid:
        return FILES  # what is wrong with it is told when it is loaded


def _contents(directory: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    mistakes = []
    if not directory.is_dir():
        help_ = f"it holds {', '.join(FILES)}"
        raise DocumentInvalid([Mistake(file=directory, line=1, column=1, message="there is no such folder", help=help_)])
    for name in policy_files(directory):
        path = directory / name
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            message = error.strerror or "cannot be read"
            mistakes.append(Mistake(file=path, line=1, column=1, message=message, help="a policy is all of these files"))
    if mistakes:
        raise DocumentInvalid(mistakes)
    return contents


def _attempt(mistakes: list[Mistake], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except DocumentInvalid as invalid:
        mistakes.extend(invalid.mistakes)
        return None


def _unchecked(anything: frozenset[str]) -> Vocabulary:
    meanings = dict.fromkeys(anything, "")
    columns = ("role", "category", "purpose", "action", "standing", "relation")
    return Vocabulary(roles=meanings, categories=meanings, category_groups={}, groups=dict.fromkeys(columns, meanings))


def _ungrouped(vocabulary: Vocabulary, sheet: Sheet) -> Iterator[Mistake]:
    """Find categories that are declared to be of a group and are not in it.

    No row and no invariant of the group holds of them then: an informant of a new kind would be refused, where those of the
    others are not there, and the refusal would tell.
    """
    members = sheet.members()
    for category, group in vocabulary.category_groups.items():
        others = members.get(("category", group), frozenset())
        if others and category not in others and vocabulary.positions is not None:
            message = f"the category '{category}' is of the group '{group}', and policy.csv does not put it there"
            place = ("categories", category, "group")
            yield vocabulary.positions.mistake(place, message, hint=f"add to policy.csv: g2, {category}, {group}")


def _named(vocabulary: Vocabulary, hidden: frozenset[str]) -> Iterator[Mistake]:
    """Find categories that a row conceals, and whose names the console would show to whoever decides."""
    for category in sorted(hidden & vocabulary.categories.keys()):
        if vocabulary.nameable(category) and vocabulary.positions is not None:
            message = f"a row conceals '{category}', and of the group '{NAMEABLE}' names are shown to whoever decides"
            yield vocabulary.positions.mistake(("categories", category, "group"), message, hint="group: hidden, or no such row")


def _crossed(
    routes: RouteMap, catalogue: Catalogue | None, fields: Mapping[str, FieldClass] | None, groups: frozenset[str]
) -> Iterator[Mistake]:
    """Hold the files against one another: the field classes of routes, the actions of purposes."""
    if fields is not None and routes.positions is not None:
        for name, place in routes.classes:
            if name not in fields:
                hint = suggest(name, fields) or "declare it in fields.yaml"
                yield routes.positions.mistake(place, f"unknown field class '{name}'", hint=hint)
    if catalogue is not None and catalogue.positions is not None:
        for code in sorted(catalogue.codes.keys() & (groups | {ANY, NONE})):
            message = f"the code '{code}' has the name of a group or of a word that rows use otherwise"
            yield catalogue.positions.mistake(("codes", code), message, value=False, hint="rename one of them")
        actions = {action for action, _ in routes.actions}
        said = [(("codes", code.name, "actions"), code.actions) for code in catalogue.codes.values()]
        for path, named in (*said, (("motor_vehicles", "actions"), catalogue.motor_vehicle_actions)):
            for action in sorted(named - actions):
                hint = suggest(action, actions) or f"actions of routes.yaml: {', '.join(sorted(actions))}"
                yield catalogue.positions.mistake(path, f"no route has the action '{action}'", hint=hint)
