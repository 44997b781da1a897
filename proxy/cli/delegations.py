"""``delegations``: who stands in for whom, over the terminals' door, each with their own key."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer

from proxy.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption
from proxy.cli.door import Access, CaOption, CertificateOption, KeyOption, UrlOption, ask, show_list, show_one

app = typer.Typer(no_args_is_help=True)

COLUMNS: Final = ("id", "state", "delegator", "delegate", "role", "starts_at", "ends_at")


@app.command("list")
def list_(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who stands in for you, and for whom you do."""
    body = ask("GET", "/delegations", Access(config=config, key=key, url=url, ca=ca, certificate=certificate))
    show_list(body, "delegations", COLUMNS, waiting=frozenset(), as_json=as_json)


@app.command()
def add(
    delegate: Annotated[str, typer.Argument(help="The personnel id of who is to stand in for you.")],
    *,
    until: Annotated[str, typer.Option("--until", help="When it ends, as 2026-11-30T06:00-06:00; 31 days at most.")],
    since: Annotated[str, typer.Option("--since", help="When it begins; now, if not said.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a colleague decide in your place. What was handed on is not handed on again; neither of you decides on the other."""
    said = {"delegate": delegate, "ends_at": until} | ({"starts_at": since} if since else {})
    access = Access(config=config, key=key, url=url, ca=ca, certificate=certificate)
    show_one(ask("POST", "/delegations", access, said), as_json=as_json)


@app.command()
def end(
    delegation: Annotated[str, typer.Argument(help="The delegation's id.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a delegation before its time, as either of the two."""
    access = Access(config=config, key=key, url=url, ca=ca, certificate=certificate)
    show_one(ask("POST", f"/delegations/{quote(delegation, safe='')}/end", access, {}), as_json=as_json)
