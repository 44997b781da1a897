"""The witness's door: two ways in for logs, and what it has signed for whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.inquiry.inquiry import MethodNotAllowed, RouteUnknown
from proxy.web.body import read_body
from proxy.web.respond import respond
from proxy.witness.service import PLAIN, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from proxy.web.limits import Limits
    from proxy.witness.memory import Remembered
    from proxy.witness.pace import Pace
    from proxy.witness.service import Witnessing

_HELP: Final = "This door has POST /add-checkpoint and /rotate-key, GET /livez, /vkey and /log/<id>/checkpoint."


class WitnessHandler:
    """Answers one request at a time of each log."""

    def __init__(
        self,
        witnessing: Witnessing,
        logs: Sequence[Remembered],
        *,
        vkeys: Sequence[str],
        pace: Pace,
        limits: Limits,
        monotonic: Callable[[], float],
    ) -> None:
        """Wire the door."""
        self._witnessing = witnessing
        self._logs = {log.folder.name: log for log in logs}
        self._vkeys = "".join(f"{vkey}\n" for vkey in vkeys)
        self._pace = pace
        self._limits = limits
        self._monotonic = monotonic

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request.

        Raises:
            Refusal: the door answers with it.
            OSError: the memory cannot be written; nothing was signed.
        """
        if not self._pace.admit(request.remote or "", self._monotonic()):
            return respond(429, b"too many requests from this address\n", PLAIN, Retry_After="1")
        path = request.raw_path.partition("?")[0]
        if request.method in {"GET", "HEAD"}:
            return _response(self._shown(path))
        if request.method != "POST":
            raise MethodNotAllowed("Use POST to submit, GET to look.", allow=["GET", "HEAD", "POST"])
        if path == "/add-checkpoint":
            return _response(await self._witnessing.add_checkpoint(await read_body(request, self._limits)))
        if path == "/rotate-key":
            return _response(await self._witnessing.add_key(await read_body(request, self._limits)))
        raise RouteUnknown(_HELP)

    def _shown(self, path: str) -> Said:
        """Return what is public: the keys, and the newest checkpoint signed of each log, for whoever compares."""
        if path == "/livez":
            return Said(200, '{"live":true}', "application/json")
        if path == "/vkey":
            return Said(200, self._vkeys)
        parts = path.split("/")
        if len(parts) == 4 and (parts[1], parts[3]) == ("log", "checkpoint") and parts[2] in self._logs:
            newest = self._logs[parts[2]].newest
            if newest is not None:
                return Said(200, newest.text)
        raise RouteUnknown(_HELP)


def _response(said: Said) -> web.StreamResponse:
    return respond(said.status, said.body.encode(), said.media_type)
