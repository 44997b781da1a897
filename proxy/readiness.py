"""Whether the node is ready, part by part, and in words why not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.identity.tls import notice, trouble
from proxy.purpose.breaker import Circuit
from proxy.purpose.case_system import CaseSystem
from proxy.web.ops import Check

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    import structlog

    from proxy.audit.gate import ReleaseGate
    from proxy.purpose.directory import StoredCases
    from proxy.registry.service import Registry
    from proxy.rooms import Rooms
    from proxy.telemetry import Metrics
    from proxy.tlog.log import Log


class Watch:
    """Tells of the parts where nobody has asked: in the metrics, and in the operational log when one breaks or is well again.

    A trouble is told of when it is found twice in a row: what passes within a moment is nobody's call at night.
    """

    def __init__(
        self, ready: Callable[[], Awaitable[Sequence[Check]]], metrics: Metrics, logger: structlog.typing.FilteringBoundLogger
    ) -> None:
        """Take what is asked, and where it is told."""
        self._ready = ready
        self._metrics = metrics
        self._logger = logger
        self._last: dict[str, Check] = {}
        self._told: dict[str, Check] = {}

    async def turn(self) -> None:
        """Look at every part once."""
        for check in await self._ready():
            self._metrics.part_ready.labels(part=check.name).set(float(check.ok))
            self._metrics.part_warns.labels(part=check.name).set(float(check.warns))
            last, self._last[check.name] = self._last.get(check.name), check
            if last is not None and _state(last) == _state(check):
                self._tell(check)

    def _tell(self, check: Check) -> None:
        told = self._told.get(check.name)
        if _state(check) == (_state(told) if told is not None else _WELL):
            return
        self._told[check.name] = check
        if not check.ok:
            self._logger.error("a part does not work", part=check.name, reason=check.reason)
        elif check.warns:
            self._logger.warning("a part is in trouble", part=check.name, reason=check.reason)
        else:
            self._logger.info("a part works again", part=check.name)


_WELL: Final = (True, False)


def _state(check: Check) -> tuple[bool, bool]:
    return check.ok, check.warns


async def readiness(
    rooms: Rooms, *, upstream_trouble: str, keys_alone: bool, certificates: Mapping[str, ssl.SSLContext], now: datetime
) -> Sequence[Check]:
    """Return every part; ``keys_alone`` is whether a key confirms an approval, ``certificates`` are the doors'."""
    checks = _parts(await rooms.database.trouble(), rooms, upstream_trouble)
    oversight, locks = rooms.oversight.trouble, rooms.locks.trouble
    beside = [
        Check(name="oversight", ok=not oversight, reason=oversight),
        Check(name="locks", ok=not locks, reason=locks),
        _noted("credentials", rooms.identities.trouble),
        _case_check(rooms.cases, checks[0]),
        _step_up_check(keys_alone=keys_alone),
    ]
    if rooms.notifier is not None:
        beside.append(_noted("notifications", rooms.notifier.trouble))
    if rooms.sign_in is not None:  # ready without it: keys and proven tokens go on, and no other node would do better
        beside.append(_noted("identity_provider", rooms.sign_in.trouble))
    return (*checks, *beside, *(_certificate_check(f"certificates_{name}", each, now) for name, each in certificates.items()))


def _certificate_check(name: str, context: ssl.SSLContext, now: datetime) -> Check:
    # Who is refused in the handshake is told nothing, and asks nothing that is counted, so the operator has to be told.
    reason = trouble(context, now)
    return _noted(name, notice(context, now)) if reason is None else Check(name=name, ok=False, reason=reason)


def _case_check(cases: StoredCases | CaseSystem, store: Check) -> Check:
    """Return how the case directory is. A case system that is down leaves this node ready: officer safety goes on."""
    if isinstance(cases, CaseSystem):
        circuit = "" if cases.circuit is Circuit.CLOSED else f" (breaker {cases.circuit})"
        return _noted("case_directory", f"{cases.trouble}{circuit}")
    return replace(store, name="case_directory")


def _noted(name: str, trouble: str) -> Check:
    """Return a part that has trouble, or none, for which no answer is held back."""
    return Check(name=name, ok=True, reason=trouble, warns=bool(trouble))


def _log_check(log: Log) -> Check:
    """Return how the log is. Tiles are derived of it: without them no answer is less safe, but who follows the log waits."""
    if (failure := log.failure) is not None:
        why = failure.strerror or str(failure) if isinstance(failure, OSError) else type(failure).__name__
        return Check(name="log", ok=False, reason=f"a write or fsync failed ({why}): restart this node to recover")
    lagging = log.publish_failure
    told = f"tiles and checkpoint cannot be published ({lagging.strerror}); no evidence is lost" if lagging is not None else ""
    return _noted("log", told)


def _witness_check(gate: ReleaseGate) -> Check:
    """Return how the witnesses are. That answers leave without them is policy: the node is ready, and says what is wrong."""
    return Check(name="witnesses", ok=False, reason=gate.trouble) if gate.trouble else _noted("witnesses", gate.notice)


def _step_up_check(*, keys_alone: bool) -> Check:
    """Return how moves are confirmed. A key alone is a choice, not a fault: it is told, and the node is ready."""
    reason = "a key alone approves for who has no passkey (step_up.mode)" if keys_alone else ""
    return Check(name="step_up", ok=True, reason=reason)


def _registry_check(registry: Registry) -> Check:
    """Return how the registry is. An empty one may be right for an hour; in a folder that was not mounted it is not."""
    if not registry.recognizer.ready:
        return Check(name="registry", ok=False, reason="not loaded: check the registry key and the store")
    return _noted("registry", "" if registry.enrolled else "nobody is enrolled, so nobody is protected")


def _parts(store_trouble: str, rooms: Rooms, upstream_trouble: str) -> Sequence[Check]:
    store = Check(name="store", ok=not store_trouble, reason=store_trouble)
    return (
        store,
        _log_check(rooms.audit.log),
        _witness_check(rooms.gate),
        Check(name="policy", ok=True, reason=rooms.live.reason),  # ready whatever the folder holds: a good policy rules
        _registry_check(rooms.registry),
        Check(name="upstream", ok=not upstream_trouble, reason=upstream_trouble),
    )
