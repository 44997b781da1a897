"""A time-stamping authority of the test's own: ``openssl ts`` behind a small HTTP server."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
[tsa]
default_tsa = one
[one]
serial = {home}/serial
crypto_device = builtin
signer_cert = {home}/tsa.pem
signer_key = {home}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[ts]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[req]
distinguished_name = dn
[dn]
"""


def openssl(*arguments: object) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_authority(home: Path) -> None:
    """Make a root (``ca.pem``) and an authority that it has certified, valid for a day.

    ``certs=`` is left out of the configuration: with a chain in the answer, rfc3161-client finds its order invalid.
    """
    config = home / "tsa.cnf"
    config.write_text(CONFIG.format(home=home))
    (home / "serial").write_text("01\n")
    certify = ("-days", "1", "-config", config)
    root = ("-keyout", home / "ca.key", "-out", home / "ca.pem", "-subj", "/CN=Test root", "-extensions", "ca")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *root, *certify)
    mine = ("-keyout", home / "tsa.key", "-out", home / "tsa.csr", "-subj", "/CN=Test TSA", "-config", config)
    openssl("req", "-newkey", "rsa:2048", "-nodes", *mine)
    signed = ("-CA", home / "ca.pem", "-CAkey", home / "ca.key", "-CAcreateserial", "-extfile", config, "-extensions", "ts")
    openssl("x509", "-req", "-in", home / "tsa.csr", "-out", home / "tsa.pem", "-days", "1", *signed)


@dataclass(slots=True)
class Authority:
    """The server, in a thread of its own, since who asks it blocks. ``broken`` is what it answers instead."""

    home: Path
    url: str = ""
    broken: web.Response | None = None
    queries: list[bytes] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen on a free port."""
        ready = threading.Event()

        async def listen() -> None:
            app = web.Application()
            app.router.add_post("/", self._answer)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                await runner.cleanup()

        def work() -> None:
            asyncio.set_event_loop(self._loop)
            self._task = self._loop.create_task(listen())
            try:
                self._loop.run_until_complete(self._task)
            except asyncio.CancelledError:
                pass
            finally:
                self._loop.close()

        self._thread = threading.Thread(target=work)
        self._thread.start()
        ready.wait()

    _task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Close the port and end the thread."""
        assert self._task is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    async def _answer(self, request: web.Request) -> web.Response:
        query = await request.read()
        self.queries.append(query)
        if self.broken is not None:
            return self.broken
        query_file, answer_file = self.home / "query.tsq", self.home / "answer.tsr"
        query_file.write_bytes(query)
        command = ["ts", "-reply", "-config", self.home / "tsa.cnf", "-queryfile", query_file, "-out", answer_file]
        await asyncio.to_thread(openssl, *command)
        return web.Response(body=answer_file.read_bytes(), content_type="application/timestamp-reply")
