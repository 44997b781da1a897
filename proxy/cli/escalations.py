"""``escalations``: what waits for a supervisor, over the terminals' door, with the supervisor's own key.

There is no way around the door: the command line decides nothing that the server would not, and who decided is whose key it is.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer

from proxy.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption
from proxy.cli.door import Access, CaOption, CertificateOption, KeyOption, UrlOption, ask, show_list, show_one

app = typer.Typer(no_args_is_help=True)

ReasonOption = Annotated[str, typer.Option("--reason", help="Why: the one who asked and the auditor read it.")]
IdArgument = Annotated[str, typer.Argument(help="The escalation's id.")]

COLUMNS: Final = ("id", "state", "expires_at", "requested_by", "case", "purpose", "action", "because")


@app.command("list")
def list_(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    state: Annotated[str | None, typer.Option("--state", help="Only those pending, approved, refused …")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the escalations that you asked for or may decide. Exit 1 when some wait, 0 when none does."""
    query = f"?state={quote(state, safe='')}" if state is not None else ""
    body = ask("GET", f"/escalations{query}", Access(config=config, key=key, url=url, ca=ca, certificate=certificate))
    show_list(body, "escalations", COLUMNS, waiting={"pending"}, as_json=as_json)


@app.command()
def show(
    escalation: IdArgument,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one escalation."""
    show_one(
        ask("GET", _path(escalation), Access(config=config, key=key, url=url, ca=ca, certificate=certificate)),
        as_json=as_json,
    )


@app.command()
def approve(
    escalation: IdArgument,
    *,
    reason: ReasonOption,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve: the same query then answers once. Who has a passkey, or needs one, approves on the console."""
    body = ask(
        "POST",
        f"{_path(escalation)}/approve",
        Access(config=config, key=key, url=url, ca=ca, certificate=certificate),
        {"reason": reason},
    )
    show_one(body, as_json=as_json)


@app.command()
def refuse(
    escalation: IdArgument,
    *,
    reason: ReasonOption,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse: the one who asked is told the reason."""
    body = ask(
        "POST",
        f"{_path(escalation)}/refuse",
        Access(config=config, key=key, url=url, ca=ca, certificate=certificate),
        {"reason": reason},
    )
    show_one(body, as_json=as_json)


@app.command()
def revoke(
    escalation: IdArgument,
    *,
    reason: ReasonOption,
    config: ConfigOption = DEFAULT_CONFIG,
    key: KeyOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    certificate: CertificateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an approval back that has not answered yet: the one who asked is told the reason."""
    body = ask(
        "POST",
        f"{_path(escalation)}/revoke",
        Access(config=config, key=key, url=url, ca=ca, certificate=certificate),
        {"reason": reason},
    )
    show_one(body, as_json=as_json)


def _path(escalation: str) -> str:
    return f"/escalations/{quote(escalation, safe='')}"
