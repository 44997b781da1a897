"""The parts of a start: each is made of the settings, opened, and put on the stack that closes it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import ssl
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.gate import Gate, ReleaseGate
from proxy.audit.service import AuditTrail
from proxy.database import DatabaseUnusable
from proxy.gateway.strangers import Strangers
from proxy.identity.assertion import RelyingParty
from proxy.identity.passkeys import passkey_key
from proxy.identity.registration import Registration
from proxy.identity.sign_in import SignIn
from proxy.identity.stepup import StepUp
from proxy.oversight.channels import make_channel
from proxy.oversight.notification_file import load_notifying
from proxy.oversight.notifier import Notifier
from proxy.policy.live import LivePolicy
from proxy.policy.service import PolicySet, load_policies
from proxy.standard_error import StandardError
from proxy.telemetry import EntryLines, Faults, Metrics, make_logger, place_of
from proxy.tlog.cosign import WitnessPolicy
from proxy.tlog.errors import LogError
from proxy.tlog.keys import load_signer
from proxy.tlog.log import Log
from proxy.tlog.store import segments_of
from proxy.tlog.witnesses import Witnesses
from proxy.upstream.client import Upstream

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    from proxy.audit.outbox import Outbox
    from proxy.audit.sealing import Sealer
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.escalation.service import Escalations
    from proxy.identity.claims import Reason
    from proxy.oversight.service import Oversight
    from proxy.policy.activating import Activations
    from proxy.settings import Settings

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Parts:
    """What one start is made of."""

    def __init__(self, settings: Settings, clock: Clock, stack: AsyncExitStack) -> None:
        """Take the settings, the time, and the stack that closes everything in the opposite order."""
        self._settings = settings
        self._clock = clock
        self._stack = stack
        self._lines = StandardError()
        stack.push_async_callback(asyncio.to_thread, self._lines.close)
        self.logger = make_logger(settings.logging.format, LEVELS[settings.logging.level], self._lines)
        self.metrics = Metrics()
        self.entry_lines = EntryLines(self._lines.write)

    @property
    def _party(self) -> RelyingParty:
        return RelyingParty(id=self._settings.step_up.rp_id, origins=self._settings.origins)

    def require_store(self) -> None:
        """Make sure that the store is there, where this is no first start.

        Raises:
            DatabaseUnusable: it is gone. A new one would know of nobody who is protected, and of no lock's end.
        """
        store = self._settings.store
        if not store.exists() and segments_of(self._settings.log):
            msg = (
                f"{store} is gone, and the log beside it is not: put it back from the last backup. Where there is none, fill a"
                " new one before the start (`registry import`, `personnel import`, `cases import`, `identity add`)"
            )
            raise DatabaseUnusable(msg)

    def step_up(self, database: Database, store_key: bytes, audit: AuditTrail) -> StepUp:
        """Return what has moves confirmed with a passkey."""
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

    def registration(self, database: Database, store_key: bytes, audit: AuditTrail) -> Registration:
        """Return what registers passkeys."""
        return Registration(
            database=database,
            key=passkey_key(store_key),
            step_up=self.step_up(database, store_key, audit),
            audit=audit,
            clock=self._clock,
            randomness=os.urandom,
            party=self._party,
            fresh=timedelta(seconds=self._settings.step_up.fresh_seconds),
        )

    async def open_log(self, sealer: Sealer) -> AuditTrail:
        """Open the log, with its keys, and return what records in it."""
        settings = self._settings
        signer = load_signer(settings.keys.checkpoint, settings.origin, settings.audit.second_key)
        log = await asyncio.to_thread(Log, settings.log, signer=signer, clock=self._clock)
        self._stack.push_async_callback(log.close)
        copy = self.entry_lines if LEVELS[settings.logging.level] <= LEVELS["info"] else None
        self._stack.push_async_callback(self._flush)
        trail = AuditTrail(log, sealer, self._clock, metrics=self.metrics, copy=copy)
        await asyncio.to_thread(trail.require_newest_keys)
        return trail

    async def open_witnesses(self, log: Log) -> Witnesses | None:
        """Return who has the log cosigned, where witnesses are configured."""
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

    def make_gate(self, audit: AuditTrail, witnesses: Witnesses | None, live: LivePolicy) -> ReleaseGate:
        """Return what holds an answer until its entry is as safe as the route wants."""
        chosen = self._settings.audit
        return ReleaseGate(
            audit,
            witnesses,
            default=Gate(chosen.gate),
            wait_seconds=chosen.wait_seconds,
            release=chosen.unwitnessed == "release",
            awaited=lambda: any(route.gate is Gate.WITNESS for route in live.policies.routes.routes),
            metrics=self.metrics,
            monotonic=time.monotonic,
        )

    async def open_policy(self, activations: Activations) -> LivePolicy:
        """Load the policy that rules, and return what follows the folder."""
        metrics = self.metrics

        def on_error(error: Exception) -> None:
            metrics.policy_errors_total.inc()
            self.report(error)

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
            tell=self.logger.warning,
        )
        await live.start()
        return live

    async def open_sign_in(self, database: Database, outbox: Outbox) -> SignIn | None:
        """Return what reads the identity provider's tokens, where one is configured."""
        chosen = self._settings.oidc
        if chosen is None:
            return None
        lines = Strangers(per_second=1, burst=20)

        def tell(reason: Reason, said: str) -> None:
            self.metrics.tokens_refused_total.labels(str(reason)).inc()
            if (suppressed := lines.admit(time.monotonic())) is not None:
                self.logger.warning("token refused", kind=str(reason), reason=said, count=suppressed + 1)

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

    async def open_upstream(self) -> Upstream:
        """Return the client of the records server."""
        upstream = Upstream(self._settings.upstream.options(), metrics=self.metrics)
        await upstream.open()
        self._stack.push_async_callback(upstream.close)
        return upstream

    def make_notifier(
        self, database: Database, escalations: Escalations, oversight: Oversight, audit: AuditTrail, store_key: bytes
    ) -> Notifier | None:
        """Return what tells people that something waits, where channels are configured."""
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
            metrics=self.metrics,
            key=hmac.digest(store_key, b"showcause heaps", hashlib.sha256),
        )

    async def _flush(self) -> None:
        self.entry_lines.flush()

    def report(self, error: BaseException) -> None:
        """Log that something failed inside."""
        match error:  # of others only the class and the place: an exception's text may hold a query's words
            case DatabaseUnusable() | LogError():
                reason = str(error)
            case OSError():
                reason = error.strerror or ""
            case _:
                reason = ""
        self.logger.error("internal error", error_type=type(error).__name__, where=place_of(error), reason=reason)

    def listen_for_faults(self) -> None:
        """Have the event loop and the libraries say in our lines what they would print in theirs, until the end."""
        loop, faults = asyncio.get_running_loop(), Faults(self.logger, time.monotonic)
        before = loop.get_exception_handler()
        loop.set_exception_handler(faults.of_the_loop)
        logging.getLogger().addHandler(faults)
        self._stack.callback(loop.set_exception_handler, before)
        self._stack.callback(logging.getLogger().removeHandler, faults)
