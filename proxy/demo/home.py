"""The folder that the demo makes and finds again: what lies where in it, whose it is, and how it is cleared away."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT: Final = Path(".showcause/demo")
ORIGIN: Final = "demo.showcause.example/log"
LAYOUT: Final = 2
"""Raised when what is made changes; a home of another layout has to be made anew."""

_MARKER: Final = ".made-by-showcause-demo"
_LOCK: Final = ".lock"
_MADE: Final = ("records.db", "config.yaml", "sign-ins.json", "keys", "data", "import")


class HomeUnusable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The folder cannot be the demo's; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everything listens on 127.0.0.1."""

    terminals: int = 8440
    console: int = 8441
    ops: int = 9440
    records: int = 8001


@dataclass(frozen=True, slots=True)
class Home:
    """One demo home, by its absolute path, and the policies that rule there."""

    path: Path
    policies: Path

    @property
    def records(self) -> Path:
        """Return the records database."""
        return self.path / "records.db"

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        return self.path / "config.yaml"

    @property
    def keys(self) -> Path:
        """Return the folder of the proxy's secrets."""
        return self.path / "keys"

    @property
    def sign_ins(self) -> Path:
        """Return the file of the cast's own keys; a secret too, kept so that a second start can print them again."""
        return self.path / "sign-ins.json"

    @property
    def imports(self) -> Path:
        """Return the folder of the files that were imported."""
        return self.path / "import"

    @property
    def data(self) -> Path:
        """Return the proxy's data: store and log."""
        return self.path / "data"

    @property
    def complete(self) -> bool:
        """Tell whether a start has made all of it, to the end."""
        try:
            marker = json.loads((self.path / _MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(marker, dict) and marker.get("complete") is True and marker.get("layout") == LAYOUT

    def mark(self, *, complete: bool) -> None:
        """Write down that this folder is the demo's, and whether it is whole."""
        content = {"about": "made by `python -m proxy demo`; --fresh makes it anew", "layout": LAYOUT, "complete": complete}
        _write(self.path / _MARKER, json.dumps(content) + "\n", mode=0o600)

    def read_keys(self) -> Mapping[str, str]:
        """Return the cast's keys by the names of the cast."""
        return dict(json.loads(self.sign_ins.read_text(encoding="utf-8")))

    def write_keys(self, keys: Mapping[str, str]) -> None:
        """Keep the cast's keys, readable by the owner only."""
        _write(self.sign_ins, json.dumps(dict(keys), indent=1) + "\n", mode=0o600)

    def write_config(self, ports: Ports, *, level: str = "warning") -> None:
        """Write the configuration for ``serve``; it is a whole one, with nothing special about it."""
        text = f"""\
# Written by `python -m proxy demo` at each start. `python -m proxy serve --config THIS FILE` runs the proxy by itself;
# every command of the command line takes --config as well. Paths are relative to this file.
origin: {ORIGIN}
data: data
policies: {json.dumps(str(self.policies))}
keys:
  checkpoint: keys/checkpoint.pem
  index: keys/index.key
  body: keys/body.key
  registry: keys/registry.key
  unsafe_same_disk: true # a toy: whoever copies this folder has everything
upstream:
  url: http://127.0.0.1:{ports.records}
doors:
  terminals: {{port: {ports.terminals}}}
  console: {{port: {ports.console}}}
  ops: {{port: {ports.ops}}}
step_up:
  mode: key # the cast has no passkeys; whoever registers one has to use it
logging:
  level: {level}
"""
        _write(self.config, text, mode=0o644)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process; it is made when it is not there.

        Raises:
            HomeUnusable: another demo runs here, or the folder holds something that is not the demo's.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            msg = f"{self.path} cannot be made: {error.strerror or error}. Name another folder with --home"
            raise HomeUnusable(msg) from error
        foreign = [entry.name for entry in self.path.iterdir() if entry.name not in {*_MADE, _LOCK, _MARKER}]
        if foreign and not (self.path / _MARKER).is_file():
            msg = f"{self.path} holds something that the demo did not make ({foreign[0]}). Name another folder with --home"
            raise HomeUnusable(msg)
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            msg = f"a demo is running in {self.path} already. Stop it, or name another folder with --home"
            raise HomeUnusable(msg) from None
        try:
            yield
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """Remove what the demo made, and nothing else.

        Raises:
            HomeUnusable: there is something by those names, and nothing says that the demo made it.
        """
        found = [self.path / name for name in _MADE if os.path.lexists(self.path / name)]
        if found and not (self.path / _MARKER).is_file():
            msg = f"nothing says that the demo made {found[0]}. Name another folder with --home"
            raise HomeUnusable(msg)
        self.mark(complete=False)  # first: half a home must not be taken for a whole one
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def shipped_policies() -> Path:
    """Return the folder of the policies that come with this program.

    Raises:
        HomeUnusable: they are not there.
    """
    folder = Path(proxy.__file__).resolve().parent.parent / "policies"
    if not (folder / "policy.csv").is_file():
        msg = f"{folder} is not there: run the demo from a checkout of the whole project"
        raise HomeUnusable(msg)
    return folder


def _write(path: Path, text: str, *, mode: int) -> None:
    """Replace a file in one step, with its mode from the first byte on."""
    making = path.with_name(f"{path.name}.{os.getpid()}.making")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    making.replace(path)
