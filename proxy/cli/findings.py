"""``findings``: what reviews found wanting, over the terminals' door, with the oversight desk's own key."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer

from proxy.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption
from proxy.cli.door import Access, CaOption, CertificateOption, KeyOption, UrlOption, ask, show_list, show_one

app = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The finding's id.")]
COLUMNS: Final = ("id", "state", "opened_at", "why", "requested_by", "opened_by", "case", "action", "outcome", "entry")


@app.command("list")
def list_(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    state: Annotated[str | None, typer.Option("--state", help="Only those open, closed.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the findings that are yours to see. Exit 1 when some are open, 0 when none is."""
    query = f"?state={quote(state, safe='')}" if state is not None else ""
    body = ask("GET", f"/findings{query}", Access(config=config, key=key, url=url, ca=ca, certificate=certificate))
    show_list(body, "findings", COLUMNS, waiting={"open"}, as_json=as_json)


@app.command()
def show(
    finding: IdArgument,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one finding: the query, what the reviewer found, and how it ended."""
    access = Access(config=config, key=key, url=url, ca=ca, certificate=certificate)
    show_one(ask("GET", _path(finding), access), as_json=as_json)


@app.command()
def close(
    finding: IdArgument,
    *,
    outcome: Annotated[str, typer.Option("--outcome", help="sustained, not-sustained, exonerated or unfounded.")],
    reason: Annotated[str, typer.Option("--reason", help="What you found, for the auditor.")],
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how it ended, and why: once, and neither of your own query nor of your own review."""
    access = Access(config=config, key=key, url=url, ca=ca, certificate=certificate)
    body = ask("POST", f"{_path(finding)}/close", access, {"outcome": outcome, "reason": reason})
    show_one(body, as_json=as_json)


def _path(finding: str) -> str:
    return f"/findings/{quote(finding, safe='')}"
