"""``notices``: queries that somebody has to take note of, over the terminals' door, with that person's own key."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer

from proxy.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption
from proxy.cli.door import Access, CaOption, CertificateOption, KeyOption, UrlOption, ask, show_list, show_one

app = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The notice's id.")]
COLUMNS: Final = ("id", "state", "due_at", "requested_by", "case", "purpose", "action", "outcome", "categories", "entry")


@app.command("list")
def list_(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    state: Annotated[str | None, typer.Option("--state", help="Only those due, overdue, done.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the notices that are yours to take. Exit 1 when some wait, 0 when none does."""
    query = f"?state={quote(state, safe='')}" if state is not None else ""
    body = ask("GET", f"/notices{query}", Access(config=config, key=key, url=url, ca=ca, certificate=certificate))
    show_list(body, "notices", COLUMNS, waiting={"due", "overdue"}, as_json=as_json)


@app.command()
def acknowledge(
    notice: IdArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="What you did about it, if anything.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you have seen it."""
    access = Access(config=config, key=key, url=url, ca=ca, certificate=certificate)
    path = f"/notices/{quote(notice, safe='')}/acknowledge"
    show_one(ask("POST", path, access, {"reason": reason}), as_json=as_json)
