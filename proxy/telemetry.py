"""Metrics and operational logs, both made once and handed in.

Metrics are criminal-justice metadata (CJIS SC-28): every label value comes from a closed list, never from a query. Never a
person, a case, an officer or an agency. Logs go through an allow-list of fields for the same reason: what is not named
here is not printed, whoever asks.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from bisect import bisect_left
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, Self, cast

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.samples import Sample
    from structlog.typing import EventDict, WrappedLogger

FAST: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
HUMAN: Final = (5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)

STAGES: Final = ("identity", "inquiry", "purpose", "registry", "policy", "decided", "upstream", "disclosure", "recorded")
"""The stages of a query, in order: ``decided`` and ``recorded`` are the two waits for a durable entry."""

_OWN_WORDS: Final = re.compile(r"[A-Za-z ._-]{1,60}")
ALLOWED_LOG_FIELDS: Final = frozenset(
    {
        "event", "level", "timestamp", "origin", "index", "leaf_hash", "kind", "at", "facts", "problem", "door", "url", "path",
        "version", "part", "signal", "seconds", "count", "reason", "error", "error_type", "where", "file", "node", "port",
        "host",
    },
)  # fmt: skip


class _Children(MetricWrapperBase):
    """Metrics whose children are found by one look-up. Children number as few as their labels, which come from closed lists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._children: dict[tuple[object, ...], Self] = {}
        super().__init__(*args, **kwargs)

    def labels(self, *labelvalues: object, **labelkwargs: object) -> Self:
        if labelkwargs:
            return super().labels(*labelvalues, **labelkwargs)
        child = self._children.get(labelvalues)
        if child is None:
            child = self._children[labelvalues] = super().labels(*labelvalues)
        return child


class _Count(_Children, Counter):
    """A counter that one thread counts with, as the event loop does: half a dozen of them count every query."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._total = 0.0

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        del exemplar
        self._total += amount

    def _child_samples(self) -> Iterable[Sample]:
        self._value.set(self._total)
        return super()._child_samples()


class _Tally(_Children, Histogram):
    """A histogram that one thread observes, as the event loop does: a dozen of them count every query."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._counts = [0] * len(self._upper_bounds)
        self._total = 0.0

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        del exemplar
        self._counts[bisect_left(self._upper_bounds, amount)] += 1
        self._total += amount

    def _child_samples(self) -> Iterable[Sample]:
        self._sum.set(self._total)
        for bucket, count in zip(self._buckets, self._counts, strict=True):
            bucket.set(count)
        return super()._child_samples()


class Metrics:
    """Every metric of the contract, registered in one registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register all metrics; a second instance needs a registry of its own."""
        self.registry = registry or CollectorRegistry()
        self.decisions_total = self._counter(
            "decisions", "Decisions, of the inquiry and of each record", "outcome", "action", "purpose"
        )
        self.refusals_total = self._counter("refusals", "Queries refused, by problem type", "problem")
        self.tokens_refused_total = self._counter(
            "tokens_refused", "Tokens of the identity provider that were not taken, by what is wrong", "reason"
        )
        self.roots_total = self._counter("root_queries", "Queries that were not caused by another query", "action")
        self.stage_seconds = self._histogram("stage_seconds", "Time in each stage of a query", "stage")
        self.query_seconds = self._histogram("query_seconds", "Time from request to answer", "outcome")
        self.escalations_pending = self._gauge("escalations_pending", "Escalations that wait for a supervisor")
        self.escalation_oldest_seconds = self._gauge("escalation_oldest_seconds", "Age of the oldest pending escalation")
        self.escalation_decision_seconds = self._histogram(
            "escalation_decision_seconds", "Time from escalation to its end", "outcome", buckets=HUMAN,
        )  # fmt: skip
        self.audit_entries_total = self._counter("audit_entries", "Entries durable in the log", "type")
        self.audit_commit_seconds = self._histogram("audit_commit_seconds", "Time from an event to its durable entry")
        self.audit_head_age_seconds = self._gauge("audit_head_age_seconds", "Age of the newest signed checkpoint")
        self.audit_poisoned = self._gauge("audit_poisoned", "1 after a failed write or fsync: this node answers nothing")
        self.audit_unwitnessed_entries = self._gauge(
            "audit_unwitnessed_entries", "Entries that no quorum of witnesses has signed for yet"
        )
        self.audit_unwitnessed_seconds = self._gauge(
            "audit_unwitnessed_seconds", "How long, at most, the oldest of them has been waiting"
        )
        self.audit_contradicted = self._gauge(
            "audit_contradicted", "1 when a witness has signed what this log does not have: this node releases nothing"
        )
        self.part_ready = self._gauge("part_ready", "0 while a part does not work and the node is not ready for it", "part")
        self.part_warns = self._gauge("part_warns", "1 while something is wrong with a part, though answers leave", "part")
        self.policy_info = Info("showcause_policy", "The policy that rules", registry=self.registry)
        self.policy_reload_failures_total = self._counter("policy_reload_failures", "Changed policies that could not be loaded")
        self.policy_waiting = self._gauge(
            "policy_waiting", "1 while the policy folder holds another policy than the one that rules"
        )
        self.policy_shadow_differences_total = self._counter(
            "policy_shadow_differences", "Rulings that the candidate policy would have made otherwise", "from", "to"
        )
        self.policy_errors_total = self._counter("policy_errors", "Rulings that failed and were turned into a deny")
        self.policy_cache_total = self._counter("policy_cache", "Rulings by whether the cache had them", "result")
        self.case_directory_seconds = self._histogram("case_directory_seconds", "Time to verify a purpose", "outcome")
        self.unverified_total = self._counter(
            "unverified", "Queries for officer safety that went on while the case directory was down", "action"
        )
        self.case_directory_circuit = self._gauge(
            "case_directory_circuit", "1 for the state of the breaker before the case system", "state"
        )
        self.upstream_seconds = self._histogram("upstream_seconds", "Time for the records server to reply", "outcome")
        self.upstream_up = self._gauge("upstream_up", "1 when the records server answered the last probe or query")
        self.registry_size = self._gauge("registry_size", "Enrolled protected persons", "category_group")
        self.recognition_seconds = self._histogram("recognition_seconds", "Time to recognize criteria or a record")
        self.simultaneous_use_total = self._counter("simultaneous_use", "The same person active at two terminals at once")
        self.statement_reuse_total = self._counter(
            "statement_reuse", "Statements used again, in nearly the same words, on another case"
        )
        self.notices_total = self._counter("notices", "Queries that a row of the policy obliges us to tell a role of", "role")
        self.notices_unacknowledged = self._gauge("notices_unacknowledged", "Notices that nobody has acknowledged yet")
        self.notices_overdue = self._gauge("notices_overdue", "Unacknowledged notices whose time has passed")
        self.reviews_due = self._gauge("reviews_due", "Answered queries that wait for their review")
        self.reviews_overdue = self._gauge("reviews_overdue", "Reviews whose time has passed")
        self.break_glass_total = self._counter("break_glass", "Queries answered in a stated emergency, before anybody agreed")
        self.findings_open = self._gauge("findings_open", "Findings of reviews that nobody has closed yet")
        self.locks_active = self._gauge("locks_active", "Locks that hold, by what they stop", "kind")
        self.notifications_total = self._counter("notifications", "Notifications by what became of them", "outcome")
        self.notifications_waiting = self._gauge("notifications_waiting", "Notifications that no channel has taken yet")
        self.budget_spent_total = self._counter("budget_spent", "Queries refused since a budget was spent", "budget")
        self.budgets_forgotten_total = self._counter(
            "budgets_forgotten", "Budgets forgotten before their hour, for want of room"
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return _Count(f"showcause_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"showcause_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = FAST) -> Histogram:
        return _Tally(f"showcause_{name}", text, labels, registry=self.registry, buckets=buckets)


def _only_allowed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value for key, value in event.items() if key in ALLOWED_LOG_FIELDS}


def _as_bytes(value: EventDict, **_: Any) -> bytes:
    return orjson.dumps(value, default=str)


def place_of(error: BaseException) -> str:
    """Return the file and line at which an error was raised; they say nothing of what it was about."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace is not None else ""


class Faults(logging.Handler):
    """Turns what the event loop or a library would print into a line of ours: no traceback, no words of a query.

    Of each kind there is one line a second with a count. A loop that cannot accept for want of files says so a hundred
    thousand times within a few seconds, and would fill the journal's disk.
    """

    def __init__(self, logger: structlog.typing.FilteringBoundLogger, monotonic: Callable[[], float]) -> None:
        """Take where the lines go."""
        super().__init__(logging.WARNING)
        self._logger = logger
        self._monotonic = monotonic
        self._quiet: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def of_the_loop(self, _loop: object, context: Mapping[str, Any]) -> None:
        """Tell of an error that nobody caught, as asyncio hands it over."""
        self._tell(_plain(str(context["message"])), context.get("exception"))

    def emit(self, record: logging.LogRecord) -> None:
        """Tell that a library has something to say, by its name alone: what it says may quote a query."""
        self._tell(f"said by {record.name}", record.exc_info[1] if record.exc_info else None)

    def _tell(self, what: str, error: BaseException | None) -> None:
        now = self._monotonic()
        self._unsaid[what] = self._unsaid.get(what, 0) + 1
        if now < self._quiet.get(what, 0.0):
            return
        self._quiet[what] = now + 1.0
        kind, where = ("", "") if error is None else (type(error).__name__, place_of(error))
        why = f"{what}: {error.strerror}" if isinstance(error, OSError) and error.strerror else what
        self._logger.error("internal error", error_type=kind, where=where, reason=why, count=self._unsaid.pop(what))


def _plain(message: str) -> str:
    """Return a message as far as it is asyncio's own words; what follows may be arguments."""
    found = _OWN_WORDS.match(message)
    return found[0].strip() if found else ""


class EntryLines:
    """The copy of each entry's open facts, a JSON object a line; written in blocks, since it is never the record.

    ``flush`` is called now and then and at the end. A block that cannot be written is dropped: whoever reads the copy
    can tell by the indexes, and asks the log.
    """

    def __init__(self, write: Callable[[bytes], object], *, block_bytes: int = 65536) -> None:
        """Take where the lines go."""
        self._write = write
        self._block_bytes = block_bytes
        self._block = bytearray()

    def __call__(self, entry: Mapping[str, object]) -> None:
        """Keep the line of one entry."""
        self._block += orjson.dumps({"event": "entry", "level": "info", **entry}, default=str, option=orjson.OPT_APPEND_NEWLINE)
        if len(self._block) >= self._block_bytes:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if self._block:
            block, self._block = bytes(self._block), bytearray()
            with suppress(OSError, ValueError):
                self._write(block)


def make_logger(style: Literal["json", "console"], level: int, out: io.RawIOBase) -> structlog.typing.FilteringBoundLogger:
    """Return the operational logger: one JSON object a line on ``out``, fields from an allow-list only."""
    common: list[Callable[..., Any]] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _only_allowed,
    ]
    wrapper = structlog.make_filtering_bound_logger(level)
    logger: structlog.typing.FilteringBoundLogger
    if style == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        text = structlog.PrintLogger(io.TextIOWrapper(cast(BinaryIO, out), encoding="utf-8", write_through=True))
        logger = structlog.wrap_logger(text, processors=[*common, renderer], wrapper_class=wrapper)
    else:
        lines = structlog.BytesLogger(cast(BinaryIO, out))
        logger = structlog.wrap_logger(
            lines, processors=[*common, structlog.processors.JSONRenderer(_as_bytes)], wrapper_class=wrapper
        )
    return logger
