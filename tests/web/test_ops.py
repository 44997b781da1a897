"""The operators' door: open for what a probe and a witness need, and for nothing else."""

from __future__ import annotations

import json
import secrets
import socket
from typing import TYPE_CHECKING

import pytest

from proxy.tlog.errors import KeyUnusable
from tests.web.conftest import Reply, until, wired

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.web.conftest import House

    Opened = Callable[..., AbstractAsyncContextManager[House]]


async def ask(house: House, target: str, *fields: str, method: str = "GET") -> Reply:
    """Ask the operators' door."""
    async with wired(house.servers.ops) as wire:
        lines = [f"{method} {target} HTTP/1.1", "Host: ops", "Connection: close", *fields]
        await wire.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return await wire.reply()


@pytest.mark.asyncio(loop_scope="session")
async def test_the_log_s_public_parts_are_served_as_they_lie(house: House) -> None:
    """Checkpoint and hash tiles, byte for byte: a witness needs no account here."""
    await house.ask(house.request())
    log = house.servers.audit.log
    await until(lambda: any(path.is_file() for path in (log.directory / "tile" / "0").rglob("[0-9]*")))
    tile = next(path for path in (log.directory / "tile" / "0").rglob("[0-9]*") if path.is_file())

    served = await ask(house, "/" + str(tile.relative_to(log.directory)))
    checkpoint = await ask(house, "/checkpoint")

    assert (served.status, served.body) == (200, tile.read_bytes())
    assert (checkpoint.status, checkpoint.body.split(b"\n")[0].decode()) == (200, log.origin)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "target",
    [
        "/tile/entries/000",
        "/tile/entries/000.p/7",
        "/tile/0/../../../store.sqlite3",
        "/tile/0/%2e%2e/%2e%2e/acknowledged",
        "/checkpoint/../acknowledged",
        "//checkpoint",
        "/checkpoint/",
        "/checkpoint%00",
        "/segments/000000000000.seg",
        "/acknowledged",
        "/lock",
        "/tile/0/0000",
        "/tile/0/x0/000",
        "/",
        "/debug",
        "/records/persons/100027",
        "http://ops/metrics",
    ],
)
async def test_nothing_else_of_the_log_or_the_disk_is_served(house: House, target: str) -> None:
    """Not the entries, which hold who asked for whom; not another file by whatever name."""
    reply = await ask(house, target, f"Authorization: Bearer {house.key}")

    assert (reply.status, reply.problem) == (404, "route-unknown")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"])
async def test_this_door_is_for_reading(house: House, method: str) -> None:
    """Nothing can be changed here."""
    reply = await ask(house, "/readyz", method=method)

    assert reply.status in {400, 405}
    assert reply.header("Allow") in {"", "GET, HEAD"}


@pytest.mark.asyncio(loop_scope="session")
async def test_metrics_come_in_the_form_that_is_asked_for(house: House) -> None:
    """The text format by default, OpenMetrics for whoever accepts it."""
    plain = await ask(house, "/metrics")
    modern = await ask(house, "/metrics", "Accept: application/openmetrics-text; version=1.0.0")

    assert plain.header("Content-Type").startswith("text/plain")
    assert modern.header("Content-Type").startswith("application/openmetrics-text")
    assert modern.body.endswith(b"# EOF\n")


@pytest.mark.parametrize(("text", "mode"), [("", 0o600), ("two\nlines", 0o600), ("a-token", 0o644)])
async def test_a_token_that_guards_nothing_opens_no_door(opened: Opened, tmp_path: Path, text: str, mode: int) -> None:
    """An empty one, one that no header can hold, and one that others can read."""
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)

    with pytest.raises(KeyUnusable, match=str(file)):
        async with opened(doors__ops__token=file):
            pass


async def test_a_token_guards_everything_but_the_probes(opened: Opened, tmp_path: Path) -> None:
    """A load balancer asks without; metrics tell how busy a department is."""
    token = secrets.token_urlsafe(32)
    file = tmp_path / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    async with opened(doors__ops__token=file) as house:
        for target in ("/livez", "/readyz"):
            assert (await ask(house, target)).status in {200, 503}
        for target in ("/metrics", "/checkpoint", "/tile/0/000"):
            for given in (
                "",
                f"Authorization: Bearer {token[:-1]}",
                f"Authorization: Basic {token}",
                "Authorization: Bearer \xe9",
            ):
                reply = await ask(house, target, *([given] if given else []))
                assert (reply.status, reply.problem) == (401, "credential-invalid")
        assert (await ask(house, "/metrics", f"Authorization: Bearer {token}")).status == 200


async def test_readiness_says_what_to_look_at(opened: Opened) -> None:
    """A records server that is not there: not ready, with the reason in words; alive all the same."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with opened(upstream__url=f"http://127.0.0.1:{nobody.getsockname()[1]}") as house:
            ready = await ask(house, "/readyz")
            alive = await ask(house, "/livez")

    checks = json.loads(ready.body)["checks"]
    assert (ready.status, alive.status) == (503, 200)
    assert [name for name, check in checks.items() if not check["ok"]] == ["upstream"]
    assert checks["upstream"]["reason"]


async def test_tiles_that_cannot_be_written_are_told_of(opened: Opened) -> None:
    """No evidence is lost and the node answers on; but witnesses would wait, and nobody would know why."""
    async with opened() as house:
        log = house.servers.audit.log
        tiles = log.directory / "tile"
        await until(tiles.exists)
        tiles.rename(log.directory / "aside")
        tiles.touch()

        await house.ask(house.request())

        await until(lambda: log.publish_failure is not None)
        ready = await ask(house, "/readyz")

    check = json.loads(ready.body)["checks"]["log"]
    assert (check["ok"], check["warns"]) == (True, True)
    assert "tile" in check["reason"]
