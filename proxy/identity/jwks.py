"""The provider's keys, kept by name.

A name that is not known is asked about once for everybody who waits, and never more often than the bound says: whoever sends
invented names makes us ask once a second, and no officer's token is refused for it. A key that the provider takes back is gone
here after ``fresh``; when the provider is silent, its last keys count for ``stale`` seconds more and not a moment longer.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from proxy.identity.claims import Reason, Unfit
from proxy.identity.discovery import ProviderTrouble
from proxy.identity.keyset import SigningKey, read_keys
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from proxy.identity.token import Head

BETWEEN_SECONDS: Final = 1.0
MAX_WAITING: Final = 256


class IdentityProviderUnavailable(Refusal):
    """The identity provider does not answer, so nobody can tell whose token this is."""


class Keys:
    """The keys as they are in memory. ``fetch`` returns the JWKS; all times are in seconds of ``monotonic``."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        *,
        algorithms: frozenset[str],
        fresh_seconds: float,
        stale_seconds: float,
        monotonic: Callable[[], float],
        between_seconds: float = BETWEEN_SECONDS,
    ) -> None:
        """Take whence they come; nothing is fetched yet."""
        self._fetch = fetch
        self._algorithms = algorithms
        self._fresh = fresh_seconds
        self._stale = stale_seconds
        self._monotonic = monotonic
        self._between = between_seconds
        self._keys: Mapping[tuple[str, str], SigningKey] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._waiting = 0
        self.trouble = "not asked yet"

    async def key(self, head: Head) -> SigningKey:
        """Return the key that a token names, for the algorithm that it names.

        Raises:
            Unfit: the provider has no such key.
            IdentityProviderUnavailable: nobody can tell, since the provider does not answer.
        """
        name = (head.kid, head.alg)
        if self.usable and (known := self._keys.get(name)) is not None:
            return known
        arrived = self._monotonic()
        await self._wait()
        if name not in self._keys and self._tried_at is not None and self._tried_at < arrived:
            await self._wait()  # what was under way may have been asked before the provider had the key
        if not self.usable or (self.trouble and name not in self._keys):
            raise IdentityProviderUnavailable(
                "The identity provider does not answer, so your token cannot be verified. Try again.", retry_after=5
            )
        if (known := self._keys.get(name)) is None:
            raise Unfit(Reason.KEY, "the provider's JWKS has no such key for this algorithm")
        return known

    def holds(self, name: tuple[str, str], mark: str) -> bool:
        """Tell whether a key that proved a token earlier is still the provider's."""
        return self.usable and (known := self._keys.get(name)) is not None and known.mark == mark

    @property
    def usable(self) -> bool:
        """Tell whether the keys are young enough to prove anything."""
        return self._read_at is not None and self._monotonic() - self._read_at < self._fresh + self._stale

    async def tend(self) -> None:
        """Fetch the keys anew when they are no longer fresh; called again and again."""
        if self._read_at is None or self._monotonic() - self._read_at >= self._fresh:
            await self._refresh()

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def _wait(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise IdentityProviderUnavailable("Too many tokens with unknown keys at once. Try again.", retry_after=2)
        self._waiting += 1
        try:
            await self._refresh()
        finally:
            self._waiting -= 1

    async def _refresh(self) -> None:
        """Wait for the next fetch, the same one for everybody."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._fetched())
            self._refreshing.add_done_callback(self._done)
        # One of those who wait may give up; the others still wait.
        await asyncio.shield(self._refreshing)

    async def _fetched(self) -> None:
        if self._tried_at is not None and (wait := self._between - (self._monotonic() - self._tried_at)) > 0:
            await asyncio.sleep(wait)
        asked = self._tried_at = self._monotonic()  # a key taken back while the answer is under way is not in it
        try:
            self._keys = read_keys(await self._fetch(), self._algorithms)
        except ProviderTrouble as trouble:
            self.trouble = str(trouble)
        else:
            self._read_at, self.trouble = asked, ""

    def _done(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        with suppress(asyncio.CancelledError):
            task.exception()
