"""``reviews``: answered queries that somebody else has to judge, over the terminals' door, with the reviewer's own key."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer

from proxy.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption
from proxy.cli.door import Access, CaOption, CertificateOption, KeyOption, UrlOption, ask, show_list, show_one

app = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The review's id.")]
COLUMNS: Final = ("id", "state", "due_at", "why", "requested_by", "case", "purpose", "action", "entry")


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
    """List the reviews that are yours to do. Exit 1 when some wait, 0 when none does."""
    query = f"?state={quote(state, safe='')}" if state is not None else ""
    body = ask("GET", f"/reviews{query}", Access(config=config, key=key, url=url, ca=ca, certificate=certificate))
    show_list(body, "reviews", COLUMNS, waiting={"due", "overdue"}, as_json=as_json)


@app.command()
def show(
    review: IdArgument,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one review: who asked, why, and what came of it."""
    access = Access(config=config, key=key, url=url, ca=ca, certificate=certificate)
    show_one(ask("GET", _path(review), access), as_json=as_json)


@app.command()
def close(
    review: IdArgument,
    *,
    outcome: Annotated[str, typer.Option("--outcome", help="justified or unjustified.")],
    reason: Annotated[str, typer.Option("--reason", help="What you found, for the auditor.")],
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether the query was justified, and why: once, and not of your own query or approval."""
    access = Access(config=config, key=key, url=url, ca=ca, certificate=certificate)
    body = ask("POST", f"{_path(review)}/close", access, {"outcome": outcome, "reason": reason})
    show_one(body, as_json=as_json)


def _path(review: str) -> str:
    return f"/reviews/{quote(review, safe='')}"
