"""Two TLS doors that want a client certificate, nginx in front as shipped, and one client: prints who came through where."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT = "spiffe://example.gov/terminal/7"
NAMES = ("terminals.example.gov", "console.showcause.example.gov")


def certificate(folder: Path) -> Path:
    """Write one self-signed certificate with its key, which is server, client and authority at once."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    others = [x509.UniformResourceIdentifier(CLIENT), *(x509.DNSName(each) for each in NAMES)]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "test.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


async def door(name: str, listening: socket.socket, pem: Path) -> asyncio.Server:
    """Open a door that says its name and whose certificate it saw."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pem)

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peercert")
        client = next(value for kind, value in peer["subjectAltName"] if kind == "URI")
        writer.write(json.dumps({"door": name, "client": client}).encode() + b"\n")
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, sock=listening, ssl=context)


async def ask(port: int, name: str, pem: Path) -> object:
    """Ask through nginx, trying until it listens."""
    context = ssl.create_default_context(cafile=pem)
    context.load_cert_chain(pem)
    async with asyncio.timeout(20):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
                continue
            found = json.loads(await reader.readline())
            writer.close()
            return found


async def asked(front: int, terminals: socket.socket, console: socket.socket, pem: Path) -> dict[str, object]:
    """Open both doors and ask each name."""
    async with await door("terminals", terminals, pem), await door("console", console, pem):
        return {name: await ask(front, name, pem) for name in NAMES}


def main(nginx: str, shipped: Path, folder: Path) -> None:
    """Run nginx with the shipped file, its ports and addresses changed, and print what came of each name."""
    pem = certificate(folder)
    front, terminals, console = (socket.create_server(("127.0.0.1", 0)) for _ in range(3))
    port, text = front.getsockname()[1], shipped.read_text("utf-8")
    front.close()
    for old, new in (
        ("listen [::]:443;", ""),
        ("listen 443;", f"listen 127.0.0.1:{port};"),
        ("127.0.0.1:8440 ", f"127.0.0.1:{terminals.getsockname()[1]} "),
        ("127.0.0.1:8441 ", f"127.0.0.1:{console.getsockname()[1]} "),
        ("/run/nginx-showcause.pid", str(folder / "pid")),
        ("/dev/stdout", str(folder / "access")),
    ):
        if old not in text:
            sys.exit(f"{old!r} is not in {shipped}")
        text = text.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(text, "utf-8")
    command = [nginx, "-e", "stderr", "-c", str(file), "-g", "daemon off; master_process off;"]
    with subprocess.Popen(command) as running:
        try:
            print(json.dumps(asyncio.run(asked(port, terminals, console, pem))))  # noqa: T201 -- what the test reads
        finally:
            running.terminate()


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
