"""Casbin, and nothing of it anywhere else.

Stock ``priority(p.eft) || deny`` over rows sorted by strictness stops at the first match, so ``enforce_ex`` returns the
strictest matching row. Nothing is taken on trust: words are checked before the call (Casbin's role manager would keep every
unknown name for ever), the answer's row has to be one of ours, to agree with the boolean, and to be the row that our own
reading of the policy (``lattice``) finds. Whatever is amiss becomes a deny under the rule ``error``.

The distribution ``casbin`` is refused: it is an abandoned line that installs over the same package, so that one stray
dependency silently replaces the engine.
"""

from __future__ import annotations

import logging
import threading
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any, Final

import casbin
from casbin.persist import Adapter

from proxy.policy.decision import OPEN, Facts, Outcome, Ruling
from proxy.policy.lattice import DEFAULT_RULE, Lattice, ruling_of
from proxy.policy.model import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.policy.rows import Row, Sheet
    from proxy.policy.vocabulary import Words

ERROR_RULE: Final = "error"
ERROR: Final = Ruling(outcome=Outcome.DENY, rule=ERROR_RULE, because="the policy could not be asked; the operator was told")

CACHE_SIZE: Final = 65_536  # about 20 MB; beyond it the cache starts anew

_ALLOWED: Final = OPEN | {Outcome.ESCALATE}
"""Outcomes whose rows Casbin sees as ``allow``; it knows no others than that and ``deny``."""


class EngineUnsafe(Exception):  # noqa: N818 -- it names what the engine is
    """The installed Casbin is not the one this program is safe with; the message says what to do."""


class EngineDisagrees(Exception):  # noqa: N818 -- it names what happened
    """Casbin's answer contradicts itself or our own reading of the policy."""


def check_engine(path: list[str] | None = None) -> None:
    """Make sure that the Casbin in use is pycasbin's and that nothing installed over it.

    Raises:
        EngineUnsafe: it is not.
    """
    found = distributions() if path is None else distributions(path=path)
    names = {str(distribution.metadata["Name"]).lower().replace("_", "-") for distribution in found}
    if "casbin" in names:
        message = "the distribution 'casbin' is installed and overwrites pycasbin: uninstall both, then install pycasbin again"
        raise EngineUnsafe(message)
    if "pycasbin" not in names or not hasattr(casbin.Enforcer, "add_policies_ex"):
        raise EngineUnsafe("the package 'casbin' is not pycasbin's: uninstall it, then install pycasbin again")


class _SheetAdapter(Adapter):  # type: ignore[misc]  # Casbin has no types
    """Hands Casbin a checked sheet, with ``priority`` and ``eft`` derived from the outcome."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet

    def load_policy(self, model: Any) -> None:
        model["p"]["p"].policy.extend(_line(row) for row in self._sheet.rows)
        for grouping in self._sheet.groupings:
            model["g"][grouping.prefix].policy.append([grouping.member, grouping.group])


def _line(row: Row) -> list[str]:
    eft = "allow" if row.outcome in _ALLOWED else "deny"
    return [str(row.outcome.severity), eft, str(row.outcome), row.rule, *row.conditions]


class CasbinPolicy:
    """One checked sheet, ruling. Immutable; any number of tasks and threads may ask."""

    def __init__(
        self,
        *,
        sheet: Sheet,
        words: Words,
        version: str,
        on_error: Callable[[Exception], None] | None = None,
        on_lookup: Callable[[str], None] | None = None,
    ) -> None:
        """Build a fresh enforcer. ``on_error`` is told of every failed ruling, ``on_lookup`` of each ``hit`` and ``miss``.

        Raises:
            EngineUnsafe: the wrong Casbin is installed, or it did not load the sheet as it is.
        """
        check_engine()
        self.version = version
        self.lattice = Lattice(sheet, words)
        self._words = words
        self._lines = {row.rule: (row, _line(row)) for row in sheet.rows}
        self._on_error = on_error
        self._on_lookup = on_lookup
        self._cache: dict[Facts, Ruling] = {}
        # CPython before 3.12 can fail when two threads parse an expression at once (cpython#106905), as each enforce does.
        self._lock = threading.Lock()
        self._enforcer: Any = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL), _SheetAdapter(sheet))
        # Casbin logs the arguments of every denied request; this logger belongs to no tree that anybody could switch on.
        self._enforcer.logger = logging.Logger("casbin", logging.CRITICAL + 1)  # noqa: LOG001 -- on purpose
        self._enforcer.logger.disabled = True
        if self._enforcer.get_policy() != [_line(row) for row in sheet.rows]:
            raise EngineUnsafe("Casbin did not load the rows as they are")

    def rule(self, facts: Facts) -> Ruling:
        """Rule on the facts. Never raises: an unknown word or any engine error is a deny."""
        try:
            ruling = self._cache.get(facts)
            if self._on_lookup is not None:
                self._on_lookup("miss" if ruling is None else "hit")
            return self._ask(Facts(*facts)) if ruling is None else ruling
        except Exception as error:  # noqa: BLE001 -- whatever happened, the answer is no
            if self._on_error is not None:
                self._on_error(error)
            return ERROR

    def _ask(self, facts: Facts) -> Ruling:
        if not self._words.known(facts):
            columns = ", ".join(c for c, fact in zip(facts._fields, facts, strict=True) if fact not in self._words.words[c])
            raise EngineDisagrees(f"a fact is not in the vocabulary: {columns}")
        with self._lock:
            enabled = self._enforcer.enabled is True  # a disabled enforcer allows everything
            allowed, line = self._enforcer.enforce_ex(*(str(fact) for fact in facts))
        ruling = ruling_of(self.lattice.matching(facts))
        if not enabled or self._enforcer.enabled is not True:
            raise EngineDisagrees("the enforcer is switched off")
        self._agree(allowed, line, ruling)
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        self._cache[facts] = ruling
        return ruling

    def _agree(self, allowed: object, line: Sequence[str], ruling: Ruling) -> None:
        """Hold Casbin's boolean, Casbin's row, and our own reading against one another."""
        if not line:
            if allowed is not False or ruling.rule != DEFAULT_RULE:
                raise EngineDisagrees("Casbin found no row")
            return
        row, own = self._lines[line[3]]
        if list(line) != own or allowed is not (row.outcome in _ALLOWED) or row.rule != ruling.rule:
            raise EngineDisagrees(f"Casbin's row {row.rule} is not the deciding one")
