"""``demo --tour``: the story plays by itself, in a home of its own, and every step is held against what has to come of it."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
from rich.console import Console
from rich.text import Text

from proxy.audit.entry import EntryUnreadable
from proxy.demo.home import Home
from proxy.demo.run import demo
from proxy.demo.scenes import story
from proxy.demo.stage import OpenStage
from proxy.demo.story import Seen
from proxy.tlog.errors import LogError
from proxy.tlog.frames import Kind, frames
from proxy.tlog.store import segments_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from proxy.demo.story import Step

VERIFY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One step, played."""

    step: str
    seen: Seen

    @property
    def ok(self) -> bool:
        """Tell whether everything was as it has to be."""
        return not self.seen.wrong

    def line(self) -> dict[str, object]:
        """Return the step as ``--json`` prints it."""
        seen = self.seen
        return {
            "step": self.step,
            "ok": self.ok,
            "status": seen.status or None,
            "problem": seen.problem,
            "decision": seen.decision,
            "note": "; ".join((seen.note, *seen.wrong)),
        }


async def tour(policies: Path, *, as_json: bool) -> int:
    """Play the whole story, print each step, and return 0 only if every one did what it should, else 1."""
    count = failed = 0
    show = _as_json if as_json else _Page().show
    if not as_json:
        Console(highlight=False).print("Making a town of 20,000 people …")
    async for played in play(policies):
        show(played)
        count += 1
        failed += not played.ok
    if not as_json:
        Console(highlight=False).print(f"\n{count} steps, {failed} of them wrong" if failed else f"\nall {count} steps as told")
    return int(failed > 0)


async def play(policies: Path) -> AsyncIterator[Played]:
    """Yield every step, in a fresh home with free ports, which is gone afterwards."""
    with _temporary_home(policies) as home:
        async with demo(home, usual_ports=False) as running:
            stage = OpenStage(running)
            for step in story(running.town):
                yield Played(step=step.name, seen=await _played(step, stage))
            yield Played(step="log-verifies", seen=await _verifies(home, "the log verifies while queries are answered"))
        yield Played(step="log-verifies-afterwards", seen=await _verifies(home, "and when everything has stopped"))
        yield Played(step="flipped-byte", seen=await _tampered(home, stage.first_entry))


@contextmanager
def _temporary_home(policies: Path) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="showcause-tour-") as folder:
        yield Home(Path(folder).resolve() / "demo", policies)


async def _played(step: Step, stage: OpenStage) -> Seen:
    try:
        return await step.play(stage)
    except (OSError, http.client.HTTPException, LogError, EntryUnreadable, IndexError) as error:
        return Seen(note=step.note, wrong=(f"{type(error).__name__}: {error}",))


async def _verify(home: Home, *more: str) -> tuple[int, str]:
    """Run ``audit verify`` as its own process, as an auditor would; return its exit code and what it said."""
    command = [sys.executable, "-m", "proxy", "audit", "verify", "--config", str(home.config), *more]
    # A variable that is meant for another configuration would override this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOWCAUSE_")}
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(VERIFY_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1, "it did not end"
    return process.returncode or 0, said.decode(errors="replace").strip()


async def _verifies(home: Home, note: str) -> Seen:
    code, said = await _verify(home)
    words = said.splitlines()
    if code == 0:
        return Seen(note=f"{note}: {words[0] if words else ''}")
    return Seen(note=note, wrong=(f"audit verify ended with {code}: {words[-1] if words else 'nothing said'}",))


async def _tampered(home: Home, index: int | None) -> Seen:
    """Flip one bit in one byte of one entry, in a copy, and see that the verifier names the entry."""
    note = "one byte of a copy is flipped, and the verifier says which entry"
    if index is None:
        return Seen(note=note, wrong=("no step named an entry",))
    copy = home.path / "copy"
    shutil.copytree(home.data / "log", copy)
    _flip(copy, index)
    code, said = await _verify(home, "--directory", str(copy))
    if code == 1 and f"entry {index} is not what was signed" in said:
        return Seen(note=f"{note}: {said.splitlines()[0]}")
    return Seen(note=note, wrong=(f"audit verify ended with {code} and did not name entry {index}: {said}",))


def _flip(log: Path, index: int) -> None:
    """Flip a bit in the middle of an entry."""
    segment = [each for each in segments_of(log) if each.first <= index][-1]
    content = bytearray(segment.path.read_bytes())
    entries = [frame for frame in frames(bytes(content)) if frame.kind is Kind.ENTRY]
    entry = entries[index - segment.first]
    content[entry.end - len(entry.content) // 2] ^= 1
    segment.path.write_bytes(content)


def _as_json(played: Played) -> None:
    sys.stdout.write(orjson.dumps(played.line()).decode() + "\n")
    sys.stdout.flush()


class _Page:
    """The steps for people: one line each, and below it what was wrong. Plain when piped."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def show(self, played: Played) -> None:
        seen = played.seen
        line = Text(f"{'ok' if played.ok else 'WRONG':<6}", "green" if played.ok else "bold red")
        line.append(f"{played.step:<24} ", "bold")
        line.append(f"{seen.status or '':<4} {seen.problem or seen.decision:<24} ")
        line.append(seen.note, "dim")
        self._console.print(line, soft_wrap=True)
        for wrong in seen.wrong:
            self._console.print(Text(f"      {wrong}", "red"), soft_wrap=True)
