"""The viewer: one file, put together here, so that its policy names the hashes of the very script and style it holds."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path
from typing import Final

_SOURCES: Final = Path(__file__).with_name("viewer")


def viewer() -> bytes:
    """Return the page. It loads nothing: what it shows is picked by whoever opens it."""
    style = _source("page.css")
    script = _source("check.js") + _source("show.js")
    page = _source("page.html")
    for name, content in {"script-hash": _hash(script), "style-hash": _hash(style), "style": style, "script": script}.items():
        page = page.replace("{{" + name + "}}", content)
    return page.encode()


def _source(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"
