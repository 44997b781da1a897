"""Demo homes for whoever runs the whole product: the first of a process is made, and every other is a copy of it.

To make one takes two seconds of a processor, and half a hundred tests have one of their own. What is in it is the same, down to
the keys; a test of how a home is made makes its own.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.audit.keys import load_key
from proxy.clock import utc_now
from proxy.database import Database
from proxy.demo.home import Home, shipped_policies
from proxy.demo.world import make_world
from proxy.registry.service import Registry

if TYPE_CHECKING:
    from proxy.demo.town import Town

_made: list[tuple[Home, Town]] = []


async def settle(home: Home) -> Town:
    """Fill a home that is held as ``make_world`` would, and return its town."""
    if not _made:
        folder = Path(tempfile.mkdtemp(prefix="showcause-home-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _made.append(await _make(Home(folder / "home", shipped_policies())))
    pattern, town = _made[0]
    shutil.copytree(pattern.path, home.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock"))
    return town


async def _make(home: Home) -> tuple[Home, Town]:
    with home.held():
        town = await make_world(home, utc_now)
        database = Database(home.data / "store.sqlite3")
        await database.open()
        # What a first start derives of everybody who is known is kept in the store for the next ones.
        await Registry(database, load_key(home.keys / "registry.key"), utc_now).refresh()
        await database.close()
    return home, town
