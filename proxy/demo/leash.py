"""Runs Datasette as a program that ends when its starter ends, even by ``kill -9``.

``python leash.py serve …`` watches its standard input, a pipe whose other end only the starter has: the kernel
closes it whatever way the starter goes, on any POSIX system.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def main(arguments: Sequence[str]) -> None:
    """Run ``datasette`` with these arguments until it or the starter ends."""
    threading.Thread(target=_watch, daemon=True).start()
    # Where it finds rich, Datasette prints a traceback with every local for each record that is not there: a tenth of a
    # second of work, and the query in clear.
    sys.modules["rich"] = cast("ModuleType", None)
    sys.argv = ["datasette", *arguments]
    runpy.run_module("datasette", run_name="__main__", alter_sys=True)


def _watch() -> None:
    while os.read(0, 64):
        pass
    # Nobody is left who could want an answer, or wait for a clean end.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
