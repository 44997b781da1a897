"""The terminals' door, for commands that ask it with a person's own key: they decide nothing that the server would not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 -- typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote, urlsplit

import orjson
import typer

from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, emit, say, settings_of, table, visible
from proxy.cli.wire import CertificateRefused, ExchangeFailed, client_context, exchange, pinned_context
from proxy.document import DocumentInvalid
from proxy.settings import is_loopback
from proxy.tlog.errors import KeyUnusable
from proxy.tlog.keys import load_secret

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

UNREACHED: Final = "is the server running, and is --url its terminals' door?"
UNPROVEN: Final = (
    "name its authority with --ca FILE, and the door as its certificate does; on the door's own machine leave out --url"
)
STEP_UP: Final = "/problems/step-up-required"
NOBODY: Final = "/problems/lock-target-unknown"
NO_PASSKEY: Final = "/problems/passkey-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which door, and who knocks: options of a command (``spread``)."""

    config: ConfigOption = DEFAULT_CONFIG
    key: Annotated[
        Path | None, typer.Option("--key", envvar="SHOWCAUSE_KEY", help="Your key's file, as `identity add --out` writes it.")
    ] = None
    url: Annotated[str | None, typer.Option("--url", help="The terminals' door; default: from the configuration.")] = None
    ca: Annotated[Path | None, typer.Option("--ca", help="The authority of the door's certificate (PEM).")] = None
    certificate: Annotated[Path | None, typer.Option("--certificate", help="Your client certificate (PEM), key included.")] = (
        None
    )


def ask(
    method: str, path: str, access: Access, body: Mapping[str, object] | None = None, *, unreached: str = UNREACHED
) -> Mapping[str, Any]:
    """Ask the door; ``unreached`` is what to do when nobody answers there.

    Raises:
        CommandFailed: it does not answer, or refuses; with the problem's own words.
    """
    headers = {"Accept": "application/json", "User-Agent": "showcause-cli"}
    if access.key is not None:
        headers["Authorization"] = f"Bearer {_secret(access.key)}"
    elif access.certificate is None:
        raise CommandFailed("who are you?", help="give --key FILE or --certificate FILE", code=Code.WRONG_USE)
    sent = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        sent = orjson.dumps(body)
    door = _door(access.url, access.config)
    try:
        tls = _tls(access) if door.startswith("https:") else None
        answer = exchange(door, method, path, headers=headers, body=sent, tls=tls)
    except CertificateRefused as failed:
        raise CommandFailed(str(failed), help=UNPROVEN) from None
    except ExchangeFailed as failed:
        raise CommandFailed(str(failed), help=unreached) from None
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise CommandFailed(f"{door} answered {answer.status}, and no JSON", help="is --url the terminals' door?")
    if answer.status != 200:
        _raise_problem(answer.status, found, path, access)
    return found


def _raise_problem(status: int, problem: Mapping[str, Any], path: str, access: Access) -> None:
    if problem.get("type") == STEP_UP:
        # A terminal asks no passkey: a browser shows the person what is signed, and only on the console's own address.
        told = problem.get("console")
        help_ = f"open {told if isinstance(told, str) else _console(access)}{path.rpartition('/')[0]}"
        raise CommandFailed("this has to be confirmed with a passkey, on the console", help=help_, code=Code.WRONG_USE)
    if problem.get("type") == NO_PASSKEY:
        help_ = f"`identity passkey invite` makes a code; register one with it at {_console(access)}/passkeys"
        raise CommandFailed("this has to be confirmed with a passkey, and you have none", help=help_, code=Code.WRONG_USE)
    if problem.get("type") == NOBODY:
        raise CommandFailed(str(problem.get("detail", "")), help="`--anyway` locks it all the same", code=Code.WRONG_USE)
    code = Code.UNAVAILABLE if status >= 500 or status == 429 else Code.WRONG_USE
    raise CommandFailed(
        f"{problem.get('title', status)}: {problem.get('detail', '')}".rstrip(": "),
        help=f"{problem['type']} at the door says more" if isinstance(problem.get("type"), str) else None,
        code=code,
    )


def _secret(key: Path) -> str:
    try:
        text = load_secret(key).decode("ascii").strip()
    except (KeyUnusable, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, KeyUnusable) else f"{key} holds no key"
        raise CommandFailed(reason, code=Code.WRONG_USE) from None
    if not text.isprintable() or not text:
        raise CommandFailed(f"{key} holds no key", code=Code.WRONG_USE)
    return text


def _console(access: Access) -> str:
    """Return where the console is, as far as this machine knows."""
    try:
        return settings_of(access.config).origins[0]
    except (CommandFailed, DocumentInvalid):  # whoever asks from afar has no configuration
        return "the console, at "


def _tls(access: Access) -> ssl.SSLContext:
    """Return how the door proves itself: on its own machine by the very certificate of the configuration."""
    if access.url is None and access.ca is None:
        tls = settings_of(access.config).doors.terminals.tls
        assert tls is not None
        return pinned_context(tls.certificate, access.certificate)
    return client_context(access.ca, access.certificate, None)


def _door(url: str | None, config: Path) -> str:
    if url is None:
        door = settings_of(config).doors.terminals
        if door.port == 0:
            raise CommandFailed("the configuration leaves the port open", help="give --url", code=Code.WRONG_USE)
        host = f"[{door.host}]" if ":" in door.host else door.host
        return f"http{'s' if door.tls else ''}://{host}:{door.port}"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandFailed(f"{url} is no URL", help="like https://showcause.example.gov:8440", code=Code.WRONG_USE)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        # A key sent in the clear is a key given away.
        raise CommandFailed("your key would cross the network in the clear", help="use https", code=Code.WRONG_USE)
    return url.rstrip("/")


def path_of(room: str, id_: str, *verb: str) -> str:
    """Return the path of one object of a room, whatever its id is, or of what is done to it."""
    return "/".join(("", room, quote(id_, safe=""), *verb))


def list_room(
    access: Access,
    what: str,
    columns: Sequence[str],
    *,
    state: str | None = None,
    waiting: AbstractSet[str],
    as_json: bool,
    unreached: str = UNREACHED,
) -> None:
    """Ask for the door's list of ``what``, of one state or all, and print it, a line each.

    Raises:
        CommandFailed: as ``ask``.
        Exit: with 1, when the state of any is among those that wait.
    """
    query = f"?state={quote(state, safe='')}" if state is not None else ""
    body = ask("GET", f"/{what}{query}", access, unreached=unreached)
    rows = [row for row in body.get(what, []) if isinstance(row, dict)]
    if as_json:
        emit(body)
    elif rows:
        table(columns, [[_cell(row.get(column)) for column in columns] for row in rows])
    else:
        say(f"no {what}")
    if any(row.get("state") in waiting for row in rows):
        raise typer.Exit(int(Code.FOUND))


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value or ""


def show_one(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one object, a member a line."""
    if as_json:
        emit(found)
        return
    width = max((len(name) for name in found), default=0)
    for name, value in found.items():
        shown = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value if value is not None else "")
        say(f"{visible(name):{width}}  {shown}")
