"""``demo``: the records server, the proxy before it, and what to try, until Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import os
import shlex
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from proxy.clock import utc_now
from proxy.demo import records_server
from proxy.demo.home import Home, Ports
from proxy.demo.suggestions import Doors, suggestions
from proxy.demo.world import make_world
from proxy.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from proxy.demo.town import Town
    from proxy.doors import Servers
    from proxy.settings import Settings


_ANY: Final = Ports(terminals=0, console=0, ops=0, records=0)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Everything, running."""

    home: Home
    town: Town
    keys: Mapping[str, str]
    settings: Settings
    servers: Servers
    records_url: str


@asynccontextmanager
async def demo(home: Home, *, usual_ports: bool = True, fresh: bool = False) -> AsyncIterator[Demo]:
    """Yield the demo, running in ``home`` (made anew when ``fresh``); everything has ended afterwards.

    Raises:
        HomeUnusable, RecordsServerFailed, OSError: the message says what to do.
    """
    with home.held():
        if fresh:
            home.clear()
        town = await make_world(home, utc_now)
        usual = Ports() if usual_ports else _ANY
        async with AsyncExitStack() as stack:
            records_url = await stack.enter_async_context(records_server.serving(home.records, usual.records))
            settings, servers = await _open(stack, home, usual, records_url)
            yield Demo(
                home=home,
                town=town,
                keys=home.read_keys(),
                settings=settings,
                servers=servers,
                records_url=records_url,
            )


async def _open(stack: AsyncExitStack, home: Home, usual: Ports, records_url: str) -> tuple[Settings, Servers]:
    """Open the proxy on the usual ports or, for those that are taken, on free ones."""
    from proxy.main import running  # noqa: PLC0415 -- the whole house; a wrong folder should be told of before it is built

    for wanted in (usual, _ANY, _ANY):
        ports = Ports(
            terminals=records_server.free_port(wanted.terminals),
            console=records_server.free_port(wanted.console),
            ops=records_server.free_port(wanted.ops),
            records=int(records_url.rpartition(":")[2]),
        )
        home.write_config(ports)
        # The environment is for the real thing: a variable meant for another configuration must not turn this one.
        settings = load_settings(home.config, {})
        await _forget_policy(settings)
        try:
            return settings, await stack.enter_async_context(running(settings))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            taken = error  # somebody took it since we looked
    raise taken


async def _forget_policy(settings: Settings) -> None:
    """Let the demo rule by the policies as they are: whoever tries an edit, or has pulled a newer version, is alone here."""
    from proxy.database import Database  # noqa: PLC0415 -- as in ``_open``
    from proxy.policy.store import unsafe_forget  # noqa: PLC0415

    database = Database(settings.store)
    await database.open()
    await unsafe_forget(database)
    await database.close()


async def run(home: Home, *, fresh: bool) -> int:
    """Run the demo in ``home`` until it is canceled; return the exit code."""
    console = Console(highlight=False)
    if fresh or not home.complete:
        console.print("Making a town of 20,000 people …")
    async with demo(home, fresh=fresh) as running:
        _tell(console, running)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        console.print("\nFinishing what is under way …")
    console.print("Stopped. The next start finds everything again; --fresh starts anew.")
    return 0


async def until_interrupted(work: Coroutine[None, None, int]) -> int:
    """Return the exit code of ``work``; the first SIGINT or SIGTERM cancels it, and it cleans up. Later ones wait for that."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    told: list[int] = []

    def stop(signum: int) -> None:
        if not told:
            told.append(signum)
            task.cancel()

    for signum in _SIGNALS:
        loop.add_signal_handler(signum, stop, signum)
    try:
        return await task
    except asyncio.CancelledError:
        if not told:
            raise
        return 128 + told[0]
    finally:
        for signum in _SIGNALS:
            loop.remove_signal_handler(signum)


def _tell(console: Console, running: Demo) -> None:
    """Print what runs where, what to try, and where things are. Plain when piped; no line is broken."""

    def line(text: str = "", style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=True)

    servers = running.servers
    line()
    line("Showcause is running, with a records server that it does not trust behind it.", "bold")
    line()
    for name, url, what in (
        ("records", running.records_url, "Datasette, which knows nothing of us; no terminal should reach it"),
        ("terminals", servers.terminals.url, "where officers ask"),
        ("console", servers.console.url, "where supervisors decide"),
        ("ops", servers.ops.url, "/livez /readyz /metrics /checkpoint"),
    ):
        line(f"  {name:<10} {url:<24} {what}")
    line()
    # By this name, and not by the address: a passkey belongs to a name (WebAuthn Level 3, 5.1.3).
    line(f"  Sign in to the console at http://localhost:{servers.console.port}/ with a supervisor's key:")
    for who in ("supervisor", "lieutenant"):
        line(f"  {who:<10} {running.keys[who]}")
    line()
    doors = Doors(terminals=servers.terminals.url, console=servers.console.url)
    program = f"{_relative(Path(sys.executable))} -m proxy"
    for suggestion in suggestions(running.town, running.keys, doors, program, _relative(running.home.config)):
        line(f"# {suggestion.text}", "cyan")
        line(suggestion.command)
        line()
    line(f"  log            {_relative(running.settings.log)}")
    line(f"  configuration  {_relative(running.home.config)}")
    line(f"  policies       {_relative(running.settings.policies)}")
    line()
    line("Ctrl-C stops everything. `demo --tour` plays the whole story by itself.", "bold")


def _relative(path: Path) -> str:
    with suppress(ValueError):
        return shlex.quote(str(path.relative_to(os.getcwd())))  # noqa: PTH109 -- what the newcomer types
    return shlex.quote(str(path))
