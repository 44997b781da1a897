"""The command line. A group's module is imported when its command is called, so that ``--help`` answers at once."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A file of ``proxy/cli``: one command of its name, or a group of commands under it."""

    name: str
    help: str
    single: bool = False


GROUPS: Final = (
    Group(name="demo", help="A records server, this proxy before it, and what to try.", single=True),
    Group(name="serve", help="Run the proxy.", single=True),
    Group(name="check", help="Validate configuration and policies, without network.", single=True),
    Group(name="doctor", help="Try every part that a start needs, and say what to do.", single=True),
    Group(name="explain", help="Say what would be decided, and by which row.", single=True),
    Group(name="identity", help="Who may ask: keys and certificates."),
    Group(name="cases", help="The case directory."),
    Group(name="personnel", help="The personnel directory."),
    Group(name="registry", help="The registry of protected persons."),
    Group(name="policy", help="The policy: check it before it is live."),
    Group(name="duty", help="Who is on duty when."),
    Group(name="escalations", help="What waits for a supervisor."),
    Group(name="locks", help="Stop a person, terminal, case, subject or grant at once."),
    Group(name="delegations", help="Who stands in for whom."),
    Group(name="notices", help="Queries that somebody has to take note of."),
    Group(name="reviews", help="Answered queries that somebody else has to judge."),
    Group(name="findings", help="Reviews that found a query wanting."),
    Group(name="notifications", help="Who is told, by which channel: try it."),
    Group(name="audit", help="The audit log."),
    Group(name="witness", help="Remember for others what a log has signed."),
)


def make_app(wanted: str | None) -> typer.Typer:
    """Return the command line with the group ``wanted`` in full and the others by name; None is all in full."""
    app = typer.Typer(
        name="showcause",
        help="Every query of a police records database shows cause.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_version)
    for group in GROUPS:
        if wanted not in {None, group.name}:
            app.command(group.name, help=group.help)(_elsewhere)
            continue
        inner: typer.Typer = importlib.import_module(f"proxy.cli.{group.name}").app
        app.add_typer(inner, name=None if group.single else group.name, help=group.help)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 found something, 2 wrong use, 3 unavailable.

    As in a shell, 130 is an interrupt and 141 a reader who closed the pipe before the end.
    """
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Leave Python nothing to flush into the closed pipe at its own end, where it would print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        completing = "_SHOWCAUSE_COMPLETE" in os.environ
        app = make_app(None if completing else next((each for each in arguments if not each.startswith("-")), ""))
        app(list(arguments), prog_name=_name())
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- the last one to hear of it: a sentence, not a traceback
        from proxy.cli.common import fail  # noqa: PLC0415 -- pydantic and YAML, wanted only by those who fail

        return int(fail(error, as_json="--json" in arguments))
    return 0


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def _name() -> str:
    return "showcause" if os.path.basename(sys.argv[0]) == "showcause" else "python -m proxy"  # noqa: PTH119 -- pathlib is not needed


def _print_version(wanted: bool) -> None:  # noqa: FBT001 -- typer calls it
    if wanted:
        from proxy import __version__  # noqa: PLC0415

        typer.echo(__version__)
        raise typer.Exit


def _version(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),  # noqa: FBT001, FBT003
) -> None: ...


def _elsewhere() -> None: ...


if __name__ == "__main__":
    main()
