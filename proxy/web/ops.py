"""The operators' door: is it alive, is it ready and why not, its metrics, and the log's public parts (C2SP tlog-tiles)."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.exposition import generate_latest as _plain
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as _openmetrics

from proxy.identity.principal import CredentialInvalid
from proxy.inquiry.inquiry import MethodNotAllowed, RouteUnknown
from proxy.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from aiohttp import web

    from proxy.telemetry import Metrics

_TILE: Final = re.compile(r"/tile/(?:entries|\d{1,2})(?:/x\d{3})*/\d{3}(?:\.p/\d{1,3})?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing readiness rests on: its name, whether it holds, and the reason in words.

    ``warns`` says that something is wrong although it holds: answers leave, and somebody should look all the same.
    """

    name: str
    ok: bool
    reason: str = ""
    warns: bool = False


class Ops:
    """Handler of the operators' door. ``token``, when set, guards everything but liveness and readiness."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        ready: Callable[[], Awaitable[Sequence[Check]]],
        log: Path,
        token: str | None,
        cosigned: Callable[[], str | None],
        tile: Callable[[str], bytes | None],
    ) -> None:
        """Wire the door; ``log`` is the directory of the log's checkpoint.

        ``cosigned`` returns the newest checkpoint that witnesses have signed, and ``tile`` the tile at a path, of any width.
        """
        self._metrics = metrics
        self._ready = ready
        self._log = log
        self._token = token
        self._cosigned = cosigned
        self._tile = tile

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request.

        Raises:
            Refusal: the door answers with it.
        """
        path = request.raw_path.partition("?")[0]
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("Use GET here.", allow=["GET", "HEAD"])
        if path == "/livez":
            return respond(200, b'{"live":true}', "application/json")
        if path == "/readyz":
            return await self._readiness()
        if self._token is not None:
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                raise CredentialInvalid("This door wants its own bearer token.")
        if path == "/metrics":
            if "application/openmetrics-text" in request.headers.get("Accept", ""):
                text = _openmetrics(self._metrics.registry)  # type: ignore[no-untyped-call]
                return respond(200, text, OPENMETRICS)
            return respond(200, _plain(self._metrics.registry), CONTENT_TYPE_LATEST)
        if path == "/checkpoint" or (_TILE.match(path) and not path.startswith("/tile/entries")):
            return self._public_part(path)
        raise RouteUnknown("This door has /livez, /readyz, /metrics, /checkpoint and /tile/<level>/<index>.")

    async def _readiness(self) -> web.StreamResponse:
        checks = await self._ready()
        ready = bool(checks) and all(check.ok for check in checks)
        body = {
            "ready": ready,
            "checks": {check.name: {"ok": check.ok, "warns": check.warns, "reason": check.reason} for check in checks},
        }
        return respond(200 if ready else 503, orjson.dumps(body), "application/json")

    def _public_part(self, path: str) -> web.StreamResponse:
        if path != "/checkpoint":
            content = self._tile(path.lstrip("/"))
            if content is None:
                raise RouteUnknown("The log has no such part (yet).")
            return respond(200, content, "application/octet-stream")
        cosigned = self._cosigned()
        try:
            body = cosigned.encode() if cosigned is not None else (self._log / "checkpoint").read_bytes()
        except OSError:
            raise RouteUnknown("The log has no such part (yet).") from None
        return respond(200, body, "text/plain; charset=utf-8")
