"""The files that pages load: read once, found under a path that holds their digest, so that a browser may keep them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

from proxy.inquiry.inquiry import MethodNotAllowed, RouteUnknown
from proxy.web.console.respond import secured

FOLDER: Final = Path(__file__).parent / "static"
PREFIX: Final = "/static/"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class _File(NamedTuple):
    body: bytes
    media_type: str


class Files:
    """What lies in ``static/``, and nothing else: a path is looked up, never opened."""

    def __init__(self) -> None:
        """Read the folder."""
        self._by_path: dict[str, _File] = {}
        self._paths: dict[str, str] = {}
        for file in sorted(FOLDER.rglob("*")):
            if file.suffix in _TYPES and file.is_file():
                body = file.read_bytes()
                name = file.relative_to(FOLDER).as_posix()
                path = f"{PREFIX}{hashlib.sha256(body).hexdigest()[:16]}/{name}"
                self._by_path[path] = _File(body, _TYPES[file.suffix])
                self._paths[name] = path

    def path(self, name: str) -> str:
        """Return where a page finds a file.

        Raises:
            KeyError: there is none of that name.
        """
        return self._paths[name]

    def answer(self, method: str, path: str) -> web.StreamResponse:
        """Answer with a file.

        Raises:
            RouteUnknown, MethodNotAllowed.
        """
        found = self._by_path.get(path)
        if found is None:
            raise RouteUnknown("There is no such file.")
        if method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("Use GET here.", allow=["GET", "HEAD"])
        response = web.Response(body=found.body, headers={"Content-Type": found.media_type})
        return secured(response, Cache_Control="public, max-age=31536000, immutable")
