"""What every command has in common: its options, its exit codes, how it prints, and how it fails without a traceback."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from proxy.document import DocumentInvalid, Mistake
from proxy.refusal import Refusal
from proxy.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


PIPE_CLOSED: Final = 141
PROGRESS_AFTER_SECONDS: Final = 1.0

ConfigOption = Annotated[
    Path,
    typer.Option("--config", envvar="SHOWCAUSE_CONFIG", help="The configuration file.", show_default=True),
]
"""``config: ConfigOption = DEFAULT_CONFIG`` in a command's signature."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""``as_json: JsonOption = False`` in a command's signature."""

DEFAULT_CONFIG: Final = Path("showcause.yaml")


class Code(IntEnum):
    """The exit codes, the same for every command."""

    DONE = 0
    FOUND = 1
    WRONG_USE = 2
    UNAVAILABLE = 3


class CommandFailed(Exception):  # noqa: N818 -- it says what happened
    """A command ends here. The message says why and ``help`` what to do next; ``code`` is the exit code."""

    def __init__(self, message: str, *, help: str | None = None, code: Code = Code.UNAVAILABLE) -> None:  # noqa: A002 -- reads as in Mistake
        """Keep the sentence, the next step and the code."""
        super().__init__(message)
        self.help = help
        self.code = code


def wrong_use(message: str, hint: str) -> CommandFailed:
    """Return the end of a command that was called wrongly."""
    return CommandFailed(message, help=hint, code=Code.WRONG_USE)


def settings_of(config: Path) -> Settings:
    """Return the settings of a configuration file and this process's environment.

    Raises:
        DocumentInvalid: with every mistake.
    """
    if not config.exists():
        hint = "name it with --config FILE or SHOWCAUSE_CONFIG; deploy/showcause.example.yaml is one to start from"
        raise DocumentInvalid([Mistake(file=config, line=1, column=1, message="No such file or directory", help=hint)])
    return load_settings(config, os.environ)


def done(code: Code) -> typer.Exit:
    """Return what to raise to end a command with ``code``."""
    return typer.Exit(int(code))


def emit(value: object) -> None:
    """Print one JSON value on one line of standard output."""
    try:
        line = orjson.dumps(value, default=str).decode()
    except TypeError:  # the name of a file, say, that is no text
        line = json.dumps(value, default=str, ensure_ascii=False).encode(errors="replace").decode()
    _write(line + "\n", flush=True)


def say(text: str) -> None:
    """Print a line on standard output."""
    _write(visible(text) + "\n")


def warn(text: str) -> None:
    """Print a line on standard error."""
    sys.stderr.write(visible(text) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a plain table on standard output, wide enough for its content, the same on a terminal and in a pipe."""
    lines = [list(columns), *([visible(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        _write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")


def listing(columns: Sequence[str], rows: Sequence[Mapping[str, object]], *, nothing: str, as_json: bool) -> None:
    """Print rows as JSON or as a table, in which a dash stands for what is not there; ``nothing`` says that there are none."""
    if as_json:
        emit(rows)
    elif rows:
        table(columns, [[row[column] or "-" for column in columns] for row in rows])
    else:
        say(nothing)


def _write(text: str, *, flush: bool = False) -> None:
    try:
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()
    except BrokenPipeError:
        raise typer.Exit(PIPE_CLOSED) from None


def visible(text: str) -> str:
    """Return text whose control characters cannot drive the operator's terminal; line ends stay."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else f"\\x{ord(letter):02x}" for letter in text)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(n)``; a bar appears on standard error once the work takes longer than a second.

    Nothing is printed when standard error is not a terminal.
    """
    from rich.console import Console  # noqa: PLC0415 -- a tenth of a second that most commands need not wait
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(label, total=total)
    begun = time.monotonic()
    started = False

    def advance(count: int = 1) -> None:
        nonlocal started
        bar.advance(task, count)
        if not started and time.monotonic() - begun > PROGRESS_AFTER_SECONDS:
            bar.start()
            started = True

    try:
        yield advance
    finally:
        if started:
            bar.stop()


def fail(error: BaseException, *, as_json: bool) -> Code:
    """Print why a command failed, and what to do, and return its exit code. Never a traceback with values in it."""
    if isinstance(error, DocumentInvalid):
        if as_json:
            emit({"error": "the file has mistakes", "mistakes": mistakes_as_json(error.mistakes)})
        else:
            warn(str(error))
            warn(f"{len(error.mistakes)} mistake{'s' if len(error.mistakes) > 1 else ''}")
        return Code.WRONG_USE
    message, hint, code = _explained(error)
    if as_json:
        emit({"error": message, "help": hint})
    else:
        warn(f"error: {message}")
        if hint:
            warn(f"help: {hint}")
    return code


def mistakes_as_json(mistakes: Iterable[Mistake]) -> list[Mapping[str, object]]:
    """Return mistakes as JSON objects: ``file``, ``line``, ``column`` (1-based), ``message``, ``help``."""
    return [
        {"file": str(each.file), "line": each.line, "column": each.column, "message": each.message, "help": each.help}
        for each in mistakes
    ]


def _explained(error: BaseException) -> tuple[str, str | None, Code]:
    from proxy.database import DatabaseUnusable  # noqa: PLC0415 -- SQLAlchemy, wanted only once something has failed
    from proxy.identity.tls import CertificatesUnusable  # noqa: PLC0415
    from proxy.oversight.channels import ChannelUnusable  # noqa: PLC0415
    from proxy.policy.activation import PolicyUnreadable  # noqa: PLC0415
    from proxy.purpose.case_system import CaseSystemUnusable  # noqa: PLC0415
    from proxy.tlog.errors import LogError  # noqa: PLC0415

    match error:
        case CommandFailed():
            return str(error), error.help, error.code
        case Refusal():
            return error.detail, None, Code.UNAVAILABLE
        case DatabaseUnusable() | LogError() | CertificatesUnusable() | CaseSystemUnusable() | ChannelUnusable():
            return str(error), "`doctor` looks at every part and says what to do", Code.UNAVAILABLE
        case PolicyUnreadable():
            return str(error), "see the runbook, at `Changing the policy`", Code.UNAVAILABLE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}", "`doctor` looks at every part and says what to do", Code.UNAVAILABLE
        case _:
            # Frames and the type, without the message: an error nobody foresaw may quote what it choked on.
            frames = "".join(traceback.format_tb(error.__traceback__))
            return f"a fault of this program: {type(error).__name__}\n{frames}", "please report it", Code.UNAVAILABLE
