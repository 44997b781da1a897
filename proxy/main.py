"""The one composition root: settings become running servers.

Everything is made here, handed to whoever needs it, and closed here in the opposite order. What cannot be opened stops
the start with a sentence that says what to do; nothing starts half.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import os
import signal
import ssl
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from proxy import __version__
from proxy.audit.errors import AuditUnavailable
from proxy.audit.gate import Gate, ReleaseGate
from proxy.audit.index.folder import folder_of
from proxy.audit.index.service import TURN_CHUNK, Index
from proxy.audit.lookups import LookUps
from proxy.audit.lot import Lot
from proxy.audit.outbox import Outbox
from proxy.audit.pulse import Pulse
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.search import LogSearch
from proxy.audit.service import AuditTrail
from proxy.clock import steady, utc_now
from proxy.database import Database
from proxy.disclosure.marks import marker
from proxy.escalation.acquaintance import Acquaintance
from proxy.escalation.lock_service import LockDesk
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Locks
from proxy.escalation.service import Escalations
from proxy.gateway.service import Gateway
from proxy.gateway.strangers import Strangers
from proxy.housekeeping import Housekeeping
from proxy.identity.assertion import RelyingParty
from proxy.identity.passkeys import passkey_key
from proxy.identity.registration import Registration
from proxy.identity.service import Identities
from proxy.identity.sessions import Sessions
from proxy.identity.sign_in import SignIn
from proxy.identity.stepup import StepUp
from proxy.identity.tls import server_context
from proxy.oversight.channels import make_channel
from proxy.oversight.leak.service import LeakTrace
from proxy.oversight.notification_file import load_notifying
from proxy.oversight.notifier import Notifier
from proxy.oversight.questions import Questions
from proxy.oversight.service import Oversight
from proxy.policy.activating import Activations
from proxy.policy.live import LivePolicy
from proxy.policy.service import PolicySet, load_policies
from proxy.purpose.case_system import case_directory
from proxy.purpose.directory import StoredCases
from proxy.purpose.service import Purposes
from proxy.readiness import readiness
from proxy.registry.keyring import Keyring
from proxy.registry.service import Registry
from proxy.registry.stewards import Stewards
from proxy.rooms import Rooms
from proxy.standard_error import StandardError
from proxy.telemetry import EntryLines, Metrics, make_logger
from proxy.tlog.cosign import WitnessPolicy
from proxy.tlog.keys import load_signer
from proxy.tlog.log import Log
from proxy.tlog.witnesses import Witnesses
from proxy.upstream.client import Upstream
from proxy.web.console.door import Console
from proxy.web.console.health import LogHead
from proxy.web.console.provider import ProviderSignIn
from proxy.web.console.rooms import Behind, make_rooms
from proxy.web.documents import Documents
from proxy.web.leaks import LeakDoor
from proxy.web.limits import Limits
from proxy.web.ops import Check, Ops
from proxy.web.server import Door
from proxy.web.terminals import Terminals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from proxy.clock import Clock
    from proxy.identity.claims import Reason
    from proxy.settings import Settings
    from proxy.settings.model import DoorSettings
    from proxy.web.protocol import Handler

    Ready = Callable[[], Awaitable[Sequence[Check]]]

SWITCH_SECONDS: Final = 0.0005
GC_ALLOCATIONS: Final = 20_000
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The three doors, open, and what stands behind them: the log, and the policy that rules."""

    terminals: Door
    console: Door
    ops: Door
    audit: AuditTrail
    policy: LivePolicy


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way and close."""
    # The log's writer waits for the interpreter after each fsync, by default up to five milliseconds.
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # what asks for a look at the policy must not end what starts
    try:
        async with running(settings) as servers:
            loop.add_signal_handler(signal.SIGHUP, servers.policy.look_anew)
            # What is loaded by now stays; without this, every collection walks the registry and the policy.
            gc.collect()
            gc.freeze()
            gc.set_threshold(GC_ALLOCATIONS, 20, 20)
            await stop.wait()
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(signum)


@asynccontextmanager
async def running(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[Servers]:
    """Yield the open doors; on leaving, drain and close.

    Raises:
        DocumentInvalid: the case system's mapping is wrong, or a policy file is and none was ever activated that could rule.
        PolicyUnreadable: the activated policy was altered, or this program cannot load it.
        DatabaseUnusable, LogError, KeyUnusable, CaseSystemUnusable, ChannelUnusable, ProviderTrouble, OSError: a part cannot
            be opened; the message says which and what to do.
    """
    async with AsyncExitStack() as stack:
        yield await _Composition(settings, clock, stack).compose()


class _Composition:
    """One start: each part is made, opened, and put on the stack that closes it."""

    def __init__(self, settings: Settings, clock: Clock, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = stack
        self._lines = StandardError()
        stack.push_async_callback(asyncio.to_thread, self._lines.close)
        self._logger = make_logger(settings.logging.format, LEVELS[settings.logging.level], self._lines)
        self._metrics = Metrics()
        self._certificates: dict[str, ssl.SSLContext] = {}
        self._entry_lines = EntryLines(self._lines.write)

    async def compose(self) -> Servers:
        settings, clock, metrics, stack = self._settings, self._clock, self._metrics, self._stack
        database = Database(settings.store)
        await database.open()
        stack.push_async_callback(database.close)
        sealer = Sealer.load(index=settings.keys.index, body=settings.keys.body, store=settings.keys.store)
        store_key = sealer.store_key
        audit = await self._open_log(sealer)
        witnesses = await self._open_witnesses(audit.log)
        gate = self._make_gate(audit, witnesses)
        outbox = Outbox(database, sealer, clock, os.urandom)
        live = await self._open_policy(Activations(database, sealer, outbox, clock))
        registry = Registry(
            database,
            Keyring.of(settings.keys.registry),
            clock,
            metrics=metrics,
            category_group=live.policies.vocabulary.category_group,
            thresholds=live.policies.thresholds,
            outbox=outbox,
        )
        live.follow(lambda policies: registry.follow(policies.thresholds, policies.vocabulary.category_group))
        await registry.refresh()
        sign_in = await self._open_sign_in(database, outbox)
        identities = Identities(
            database=database,
            presence=timedelta(seconds=settings.presence_seconds),
            tokens=sign_in.tokens if sign_in is not None else None,
            people=sign_in.people if sign_in is not None else None,
            keys=settings.oidc is None or settings.oidc.embedded_keys,
        )
        cases = await stack.enter_async_context(
            case_directory(settings.cases.system, database, metrics=metrics, monotonic=time.perf_counter)
        )
        purposes = Purposes(
            catalogue=lambda: live.policies.catalogue,
            directory=cases,
            metrics=metrics,
            monotonic=time.perf_counter,
            key=os.urandom(32),
            inheritance=timedelta(seconds=settings.root_seconds),
        )
        upstream = await self._open_upstream()
        locks = Locks(LockStore(database, _lock_key(store_key)))
        escalations = Escalations(
            database=database,
            key=hmac.digest(store_key, b"showcause escalations", hashlib.sha256),
            audit=audit,
            recognizer=registry.recognizer,
            step_up=self._step_up(database, store_key, audit),
            locks=locks,
            clock=await asyncio.to_thread(_never_back, clock, audit),
            metrics=metrics,
            expires=timedelta(seconds=settings.escalations.expires_seconds),
            grant=timedelta(seconds=settings.escalations.grant_seconds),
            informative=purposes.added,
            holders=identities,
            colleagues=registry.recognizer,
            approvals=lambda: live.policies.approvals,
            approvers=lambda: live.policies.approvers,
        )
        oversight = Oversight(
            database=database,
            key=hmac.digest(store_key, b"showcause oversight", hashlib.sha256),
            log=settings.log,
            origin=settings.origin,
            sealer=sealer,
            audit=audit,
            recognizer=registry.recognizer,
            clock=clock,
            metrics=metrics,
            monotonic=time.perf_counter,
        )
        await oversight.begin()
        gateway = Gateway(
            policies=lambda: live.policies,
            shadow=lambda: live.shadow,
            identities=identities,
            purposes=purposes,
            recognizer=registry.recognizer,
            escalations=escalations,
            register=oversight,
            step_up=self._step_up(database, store_key, audit),
            lot=Lot(store_key),
            locks=locks,
            upstream=upstream,
            audit=audit,
            gate=gate,
            metrics=metrics,
            clock=clock,
            monotonic=time.perf_counter,
            key=os.urandom(32),
            marking=marker(sealer),
            chance=SystemRandom().random,
            on_error=self._report,
        )
        lock_desk = LockDesk(
            locks=locks,
            store=LockStore(database, _lock_key(store_key)),
            database=database,
            audit=audit,
            table=lambda: live.policies.vocabulary.locks,
            asked=escalations.asked,
            recognizer=registry.recognizer,
            step_up=self._step_up(database, store_key, audit),
            clock=clock,
            monotonic=time.monotonic,
            metrics=metrics,
            knows=Acquaintance(identities, registry.recognizer, cases if isinstance(cases, StoredCases) else None).knows,
        )
        await lock_desk.recover(settings.log, settings.origin, sealer)
        beat = settings.audit.heartbeat_seconds
        await audit.start(version=__version__, policy=live.policies.version, sample=Lot(store_key).commitment, heartbeat=beat)
        stack.push_async_callback(self._say_goodbye, audit)
        stack.push_async_callback(gateway.finish)

        documents = Documents(lambda: live.policies)

        index = Index(settings.log, folder_of(settings.store), sealer, settings.origin, TURN_CHUNK)
        stack.callback(index.close)
        leaks = LeakTrace(index, sealer, audit, settings.origin)
        questions = Questions(
            search=LogSearch(index, sealer, audit), cases=cases, registry=registry, sealer=sealer, persons=identities.persons
        )

        def door(*, queries: bool) -> Handler:
            return Terminals(
                gateway=gateway,
                identities=identities,
                escalations=escalations,
                oversight=oversight,
                locks=locks,
                lock_desk=lock_desk,
                documents=documents,
                clock=clock,
                limits=self._limits,
                wait_seconds_max=settings.escalations.wait_seconds_max,
                queries=queries,
                questions=None if queries else questions,
                leaks=None if queries else LeakDoor(leaks, cases, registry, lambda: live.policies, clock),
                origin=settings.origin,
                registration=self._registration(database, store_key, audit),
                back_channel=None if queries or sign_in is None else sign_in.back_channel,
            ).handle

        sessions = Sessions(
            database=database,
            audit=audit,
            outbox=outbox,
            identities=identities,
            clock=clock,
            randomness=os.urandom,
            provider=sign_in.login if sign_in is not None else None,
        )
        rooms = Rooms(
            database=database,
            outbox=outbox,
            audit=audit,
            gate=gate,
            pulse=Pulse(audit, every=beat, monotonic=time.monotonic),
            live=live,
            registry=registry,
            stewards=Stewards(registry, database, Keyring.of(settings.keys.registry), clock, outbox=outbox),
            identities=identities,
            sessions=sessions,
            cases=cases,
            upstream=upstream,
            locks=locks,
            lock_desk=lock_desk,
            escalations=escalations,
            oversight=oversight,
            notifier=self._make_notifier(database, escalations, oversight, audit, store_key),
            sign_in=sign_in,
            index=index,
            questions=questions,
            leaks=leaks,
        )
        house = Housekeeping(rooms, stack, metrics=metrics, flush=self._entry_lines.flush, report=self._report)
        ready = partial(self._ready, rooms, house)
        console = self._make_console(
            rooms, api=door(queries=False), gateway=gateway, sealer=sealer, store_key=store_key, ready=ready
        )
        await house.begin()
        servers = await self._open_doors(ready, console.handle, door(queries=True), rooms, witnesses)
        stack.push_async_callback(escalations.end_waits)
        stack.push_async_callback(console.end_streams)
        return servers

    async def _open_doors(
        self,
        ready: Ready,
        console: Handler,
        terminals: Handler,
        rooms: Rooms,
        witnesses: Witnesses | None,
    ) -> Servers:
        doors = self._settings.doors
        token = doors.ops.token.read_text("utf-8").strip() if doors.ops.token else None

        def cosigned() -> str | None:
            return witnesses.newest.text if witnesses is not None and witnesses.newest is not None else None

        ops = Ops(
            metrics=self._metrics,
            ready=ready,
            log=self._settings.log,
            token=token,
            cosigned=cosigned,
            tile=rooms.audit.log.tile,
        )
        servers = Servers(
            ops=await self._open_door("ops", ops.handle, doors.ops),
            console=await self._open_door("console", console, doors.console),
            terminals=await self._open_door("terminals", terminals, doors.terminals),
            audit=rooms.audit,
            policy=rooms.live,
        )
        self._stack.push_async_callback(_close, servers)
        return servers

    @property
    def _party(self) -> RelyingParty:
        return RelyingParty(id=self._settings.step_up.rp_id, origins=self._settings.origins)

    def _make_console(
        self, rooms: Rooms, *, api: Handler, gateway: Gateway, sealer: Sealer, store_key: bytes, ready: Ready
    ) -> Console:
        audit = rooms.audit

        def head() -> LogHead:
            newest = audit.log.head
            return LogHead(self._settings.origin, newest.size, newest.root.hex())

        provider = None
        if rooms.sign_in is not None:
            provider = ProviderSignIn(login=rooms.sign_in.login, sessions=rooms.sessions, sealer=sealer)
            rooms.sign_in.back_channel.subscribe(lambda _ended: rooms.sessions.sweep())
        return Console(
            api=api,
            gateway=gateway,
            identities=rooms.identities,
            sessions=rooms.sessions,
            admit=partial(rooms.locks.check, case=None, subjects=(), grant=None),
            clock=self._clock,
            limits=self._limits,
            on_error=self._report,
            rooms=make_rooms(
                Behind(
                    escalations=rooms.escalations,
                    oversight=rooms.oversight,
                    locks=rooms.lock_desk,
                    questions=rooms.questions,
                    lookups=LookUps(rooms.index, sealer),
                    leaks=rooms.leaks,
                    cases=rooms.cases,
                    registry=rooms.registry,
                    live=rooms.live,
                    metrics=self._metrics,
                    identities=rooms.identities,
                    registration=self._registration(rooms.database, store_key, audit),
                    ready=ready,
                    head=head,
                    version=__version__,
                )
            ),
            provider=provider,
        )

    async def _ready(self, rooms: Rooms, house: Housekeeping) -> Sequence[Check]:
        alone = self._settings.step_up.mode == "key"
        trouble = house.upstream_trouble
        return await readiness(rooms, upstream_trouble=trouble, keys_alone=alone, certificates=self._certificates)

    def _step_up(self, database: Database, store_key: bytes, audit: AuditTrail) -> StepUp:
        return StepUp(
            database=database,
            key=passkey_key(store_key),
            audit=audit,
            clock=self._clock,
            randomness=os.urandom,
            mode=self._settings.step_up.mode,
            party=self._party,
            patience=timedelta(seconds=self._settings.step_up.challenge_seconds),
        )

    def _registration(self, database: Database, store_key: bytes, audit: AuditTrail) -> Registration:
        return Registration(
            database=database,
            key=passkey_key(store_key),
            step_up=self._step_up(database, store_key, audit),
            audit=audit,
            clock=self._clock,
            randomness=os.urandom,
            party=self._party,
            fresh=timedelta(seconds=self._settings.step_up.fresh_seconds),
        )

    @property
    def _limits(self) -> Limits:
        return Limits(**self._settings.limits.model_dump())

    def _make_notifier(
        self, database: Database, escalations: Escalations, oversight: Oversight, audit: AuditTrail, store_key: bytes
    ) -> Notifier | None:
        if self._settings.notifications is None:
            return None
        notifying = load_notifying(self._settings.notifications)
        return Notifier(
            notifying=notifying,
            channels={name: make_channel(options, notifying) for name, options in notifying.channels.items()},
            database=database,
            escalations=escalations,
            duties=oversight,
            audit=audit,
            clock=self._clock,
            metrics=self._metrics,
            key=hmac.digest(store_key, b"showcause heaps", hashlib.sha256),
        )

    async def _open_policy(self, activations: Activations) -> LivePolicy:
        metrics = self._metrics

        def on_error(error: Exception) -> None:
            metrics.policy_errors_total.inc()
            self._report(error)

        looked_up = {result: metrics.policy_cache_total.labels(result) for result in ("hit", "miss")}

        def load(folder: Path) -> PolicySet:
            return load_policies(folder, on_error=on_error, on_lookup=lambda result: looked_up[result].inc())

        settings = self._settings
        live = LivePolicy(
            folder=settings.policies,
            candidate=settings.shadow,
            activations=activations,
            load=load,
            metrics=metrics,
            tell=self._logger.warning,
        )
        await live.start()
        return live

    async def _open_log(self, sealer: Sealer) -> AuditTrail:
        settings = self._settings
        signer = load_signer(settings.keys.checkpoint, settings.origin, settings.audit.second_key)
        log = await asyncio.to_thread(Log, settings.log, signer=signer, clock=self._clock)
        self._stack.push_async_callback(log.close)
        copy = self._entry_lines if LEVELS[settings.logging.level] <= LEVELS["info"] else None
        self._stack.push_async_callback(self._flush)
        trail = AuditTrail(log, sealer, self._clock, metrics=self._metrics, copy=copy)
        await asyncio.to_thread(trail.require_newest_keys)
        return trail

    async def _open_witnesses(self, log: Log) -> Witnesses | None:
        chosen = self._settings.audit
        if chosen.witnesses is None:
            return None
        witnesses = Witnesses(
            log,
            WitnessPolicy.read(chosen.witnesses),
            clock=self._clock,
            monotonic=time.monotonic,
            interval_seconds=chosen.interval_seconds,
            reply_seconds=chosen.reply_seconds,
            tls=ssl.create_default_context(cafile=chosen.ca) if chosen.ca is not None else None,
        )
        await witnesses.open()
        self._stack.push_async_callback(witnesses.close)
        return witnesses

    def _make_gate(self, audit: AuditTrail, witnesses: Witnesses | None) -> ReleaseGate:
        chosen = self._settings.audit
        return ReleaseGate(
            audit,
            witnesses,
            default=Gate(chosen.gate),
            wait_seconds=chosen.wait_seconds,
            release=chosen.unwitnessed == "release",
            metrics=self._metrics,
            monotonic=time.monotonic,
        )

    async def _open_sign_in(self, database: Database, outbox: Outbox) -> SignIn | None:
        chosen = self._settings.oidc
        if chosen is None:
            return None
        lines = Strangers(per_second=1, burst=20)

        def tell(reason: Reason, said: str) -> None:
            self._metrics.tokens_refused_total.labels(str(reason)).inc()
            if (suppressed := lines.admit(time.monotonic())) is not None:
                self._logger.warning("token refused", kind=str(reason), reason=said, count=suppressed + 1)

        sign_in = SignIn(
            chosen.options(),
            database=database,
            outbox=outbox,
            clock=self._clock,
            monotonic=time.monotonic,
            randomness=os.urandom,
            tell=tell,
        )
        self._stack.push_async_callback(sign_in.close)
        await sign_in.open()
        return sign_in

    async def _open_upstream(self) -> Upstream:
        upstream = Upstream(self._settings.upstream.options(), metrics=self._metrics)
        await upstream.open()
        self._stack.push_async_callback(upstream.close)
        return upstream

    async def _open_door(self, name: str, handler: Handler, where: DoorSettings) -> Door:
        host, port, tls = where.host, where.port, where.tls
        context: ssl.SSLContext | None = None
        if tls is not None:
            context = server_context(
                certificate=tls.certificate,
                key=tls.key,
                client_ca=tls.client_ca,
                crl=tls.crl,
                required=tls.require_client_certificate,
            )
            self._certificates[name] = context
        door = Door(name, handler, host=host, port=port, tls=context, limits=self._limits, on_error=self._report)
        await door.open()
        self._stack.push_async_callback(door.close)
        self._logger.info("door open", door=name, host=door.host, port=door.port)
        return door

    async def _say_goodbye(self, audit: AuditTrail) -> None:
        with suppress(AuditUnavailable):
            await audit.stop("stopped in good order")

    async def _flush(self) -> None:
        self._entry_lines.flush()

    def _report(self, error: BaseException) -> None:
        # Only the class and the place: an exception's text may hold a query's words.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace is not None else ""
        self._logger.error("internal error", error_type=type(error).__name__, where=where)


def _never_back(clock: Clock, audit: AuditTrail) -> Clock:
    """Return a clock that does not go back behind the newest entry: what has expired stays so, over a restart, too.

    Where that entry is of more than a day from now its clock was wrong, and nobody waits for it.
    """
    lasting, size = steady(clock, time.monotonic), audit.log.head.size
    if size:
        newest = datetime.fromisoformat(AuditReader(audit.log.directory).read(size - 1).at)
        lasting.reach(newest if newest - clock() < timedelta(days=1) else None)
    return lasting


def _lock_key(store_key: bytes) -> bytes:
    return hmac.digest(store_key, b"showcause locks", hashlib.sha256)


async def _close(servers: Servers) -> None:
    """Drain all doors at once, so that a stop takes one drain time and not three."""
    await asyncio.gather(servers.terminals.close(), servers.console.close(), servers.ops.close())
