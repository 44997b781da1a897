"""``serve``: the real thing."""

from __future__ import annotations

import asyncio

import typer

from proxy.cli.common import DEFAULT_CONFIG, ConfigOption, settings_of

app = typer.Typer()


@app.command()
def serve(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the proxy until SIGINT or SIGTERM, then finish what is under way."""
    settings = settings_of(config)
    from proxy.main import serve as run  # noqa: PLC0415 -- the whole house; a wrong file should be told of before it is built

    asyncio.run(run(settings))
