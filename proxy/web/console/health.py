"""Health: what works, and the reason in words of what does not. The same as ``/readyz`` tells the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from aiohttp import web

    from proxy.web.console.visit import Visit
    from proxy.web.ops import Check


class LogHead(NamedTuple):
    """The log's newest seal."""

    origin: str
    size: int
    root: str


class HealthRoom:
    """Everybody may look: who waits for an answer should know whether anything is broken."""

    tab = Tab("Health", "/health")

    def __init__(self, ready: Callable[[], Awaitable[Sequence[Check]]], head: Callable[[], LogHead], version: str) -> None:
        """Take what tells of the parts and of the log, and the program's version."""
        self._ready = ready
        self._head = head
        self._version = version

    def pages(self) -> Iterable[Page]:
        """Return the page."""
        yield Page("GET", "/health", self._page)

    async def _page(self, visit: Visit) -> web.StreamResponse:
        checks = await self._ready()
        return visit.show("health.html", checks=checks, head=self._head(), version=self._version)
