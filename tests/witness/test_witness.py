"""The witness against a client written from c2sp.org/tlog-witness, and against whoever holds the log's real key."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.__main__ import run
from proxy.tlog.cosign import WitnessPolicy, cosignature_lines
from proxy.tlog.errors import LogBusy, LogDamaged
from proxy.tlog.keys import load_cosigner
from proxy.tlog.note import Signer
from proxy.tlog.rotation import state_rotation
from proxy.tlog.signing import Kind, PrivateKey
from proxy.tlog.submission import encode, parse
from proxy.witness.memory import Remembered
from proxy.witness.service import Witnessing
from tests.witness.conftest import KEY, ORIGIN, Author, Client, Office

ROOT = Path(__file__).resolve().parents[2]
FORK = Author(word=b"another history")


async def test_it_signs_a_growing_log(office: Office, author: Author) -> None:
    """Each checkpoint that contains the last one is cosigned, and its line makes it good by a policy."""
    key = load_cosigner(office.folder / "witness.pem", "witness.example").public
    policy = WitnessPolicy.parse(f"log {author.signer.verifier.vkey}\nwitness w {key.vkey}\nquorum w\n".encode())

    async with office.open() as witness:
        for old, size in ((0, 1), (1, 3), (3, 3), (3, 8), (8, 300)):
            answer = await witness.post(author.body(old, size))
            assert (answer.status, answer.media_type) == (200, "text/plain")
            cosigned = policy.check(author.checkpoint(size).text + answer.body)
            assert cosigned.size == size

    assert cosignature_lines(answer.body, author.checkpoint(300), key)[1] > 1_700_000_000


async def test_it_answers_as_the_specification_says(office: Office, author: Author) -> None:
    """One status for each way to be wrong, and the size it knows with every conflict."""
    stranger = Author(signer=Signer("other.example", KEY))
    forger = Author(signer=Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"f" * 32)))

    async with office.open() as witness:
        assert (await witness.post(author.body(0, 5))).status == 200
        for body, status in (
            (stranger.body(0, 6), 404),
            (forger.body(5, 6), 403),
            (author.body(7, 6), 400),
            (author.body(5, 6, proof=[bytes(32)]), 422),
            (author.body(5, 6, proof=[]), 422),
            (author.body(5, 6, proof=[*author.proof(5, 6), bytes(32)]), 422),
            (FORK.body(5, 6), 422),
            (b"", 400),
            (b"old 5\n\n", 400),
            (b"old 05\n\n" + author.checkpoint(6).text.encode(), 400),
            (b"old 5\nAAAA\n\n" + author.checkpoint(6).text.encode(), 400),
            (author.body(5, 6, proof=[bytes(32)] * 64), 400),
            (b"\xff" * 100, 400),
        ):
            answer = await witness.post(body)
            assert answer.status == status, (body[:40], answer)
        for stale in (author.body(0, 6), author.body(3, 6), author.body(3, 4), FORK.body(0, 6), FORK.body(5, 5)):
            answer = await witness.post(stale)
            assert (answer.status, answer.body, answer.media_type) == (409, "5\n", "text/x.tlog.size")
        assert (await witness.post(b"x" * 70_000)).status == 413
        assert (await witness.get("/add-checkpoint")).status == 404
        assert (await witness.post(author.body(5, 6))).status == 200


async def test_it_never_signs_what_contradicts_its_memory_and_keeps_the_proof(office: Office, author: Author) -> None:
    """A history written anew and signed with the real key is refused after a restart too, kept, and told of by status."""
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 9))).status == 200
    async with office.open() as witness:
        assert (await witness.post(FORK.body(9, 12))).status == 422
        assert (await witness.post(FORK.body(9, 9))).status == 409
        assert (await witness.post(author.body(9, 12))).status == 200

    kept = [parse(path.read_bytes()).checkpoint for path in (office.memory / "refused").iterdir()]
    assert {checkpoint.size for checkpoint in kept} == {9, 12}
    assert all(FORK.signer.verifier.checkpoint(each.text) for each in kept)
    assert run(["witness", "status", "--config", str(office.config)]) == 1


async def test_a_stranger_s_wrong_proofs_take_no_room_from_contradictions_and_accuse_no_log(
    office: Office, author: Author
) -> None:
    """A genuine checkpoint with whatever proofs is one suspicion, gone once it is proven; another root is kept in any case."""
    strangers = [author.body(5, 6, proof=[bytes([number] * 32)]) for number in range(20)]
    more = [author.body(5, size, proof=[bytes(32)]) for size in range(7, 270)]
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 5))).status == 200
        assert {(await witness.post(body)).status for body in strangers} == {422}
        assert len(list((office.memory / "refused").iterdir())) == 1
        assert (await witness.post(author.body(5, 6))).status == 200
        assert run(["witness", "status", "--config", str(office.config)]) == 0

        office.config.write_text(office.config.read_text() + "requests_per_second: 1000\n")
    async with office.open() as witness:
        assert {(await witness.post(body.replace(b"old 5", b"old 6"))).status for body in more} == {422}
        assert (await witness.post(FORK.body(6, 6))).status == 409
    assert [parse(path.read_bytes()).checkpoint.size for path in (office.memory / "refused").glob("*-root")] == [6]
    assert run(["witness", "status", "--config", str(office.config)]) == 1


async def test_of_two_histories_at_once_it_signs_one(office: Office, author: Author) -> None:
    """However many ask at the same moment, one root is signed for a size."""
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 2))).status == 200
        bodies = [author.body(2, 4), author.body(2, 5)] * 10
        answers = await asyncio.gather(*(witness.post(body) for body in bodies))

    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.status for answer in answers} == {200, 409}


async def test_it_stops_when_its_memory_is_gone_or_altered(office: Office, author: Author) -> None:
    """A witness that forgets would sign anything: it refuses to start, and says what to do."""
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 9))).status == 200
    newest = office.memory / "newest"
    text = newest.read_text()

    for damage in (text.replace("\n9\n", "\n8\n"), author.checkpoint(8).text, "", FORK.checkpoint(9).text):
        newest.write_text(damage)
        with pytest.raises(LogDamaged, match="must not sign for this log any more"):
            async with office.open():
                pass
    newest.unlink()
    with pytest.raises(LogDamaged, match="is gone"):
        async with office.open():
            pass
    assert run(["witness", "status", "--config", str(office.config)]) == 1


async def test_what_it_cannot_remember_it_does_not_sign(office: Office, author: Author) -> None:
    """While its memory cannot be written the answer is an error without a signature; afterwards it goes on where it was."""
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 3))).status == 200
        in_the_way = office.memory / "newest.tmp"
        in_the_way.mkdir()
        answer = await witness.post(author.body(3, 4))
        assert (answer.status, "witness.example" in answer.body) == (500, False)
        in_the_way.rmdir()
        assert (await witness.post(author.body(3, 5))).status == 200


async def test_two_witnesses_never_share_a_memory(office: Office) -> None:
    """The second one does not start."""
    async with office.open():
        with pytest.raises(LogBusy, match="another witness runs"):
            async with office.open():
                pass


async def test_it_shows_what_it_signed_and_its_key(office: Office, author: Author) -> None:
    """Whoever compares two readers' views asks the witness."""
    async with office.open() as witness:
        path = f"/log/{office.memory.name}/checkpoint"
        assert (await witness.get(path)).status == 404
        await witness.post(author.body(0, 4))
        shown = await witness.get(path)
        vkey = load_cosigner(office.folder / "witness.pem", "witness.example").public.vkey
        assert (await witness.get("/vkey")).body == f"{vkey}\n"
        assert (await witness.get("/log/../witness.pem")).status in {400, 404}

    assert author.signer.verifier.checkpoint(shown.body).size == 4


async def test_it_bounds_what_one_address_may_ask(office: Office, author: Author) -> None:
    """Beyond its pace an address is told to wait; nothing is looked at."""
    office.config.write_text(office.config.read_text() + "requests_per_second: 1\n")
    async with office.open() as witness:
        statuses = [(await witness.post(author.body(0, 1))).status for _ in range(4)]

    assert statuses == [200, 409, 429, 429]


async def test_hostile_lines_do_not_fill_its_memory(office: Office, author: Author) -> None:
    """Signatures of others under the checkpoint are passed over and not kept."""
    noise = "".join(f"\N{EM DASH} {ORIGIN} {base64.b64encode(bytes([number] * 2000)).decode()}\n" for number in range(20))
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 1) + noise.encode())).status == 200

    assert len((office.memory / "newest").read_text().splitlines()) == 6


@pytest.mark.parametrize("name", ["somebody.example", ORIGIN])
async def test_hostile_lines_do_not_drive_the_log_s_own_out_of_its_memory(office: Office, author: Author, name: str) -> None:
    """Anybody can submit a published checkpoint with lines of their own in front that bear a key's id: it starts again."""
    new = Author(signer=Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"n" * 32)))
    statement = state_rotation(1, author.signer, new.signer).text.encode()
    noise = f"\N{EM DASH} {name} {base64.b64encode(author.signer.verifier.key_id + bytes(64)).decode()}\n" * 9
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 1))).status == 200
        assert (await witness.post(statement, "/rotate-key")).status == 200
        head, _, lines = new.body(1, 2).decode().rpartition("\n\n")
        assert (await witness.post(f"{head}\n\n{noise}{lines}".encode())).status == 200

    kept = (office.memory / "newest").read_text()
    assert new.signer.verifier.checkpoint(kept).size == 2
    assert len(kept.splitlines()) == 6
    async with office.open() as witness:
        assert (await witness.post(new.body(2, 3))).status == 200


async def test_a_key_that_is_retired_meanwhile_signs_nothing_that_it_takes(author: Author, tmp_path: Path) -> None:
    """A checkpoint by the old key that waits while the key is changed is judged as what it is when its turn comes."""
    new = Author(signer=Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"n" * 32)))
    statement = state_rotation(5, author.signer, new.signer).text.encode()
    mine = PrivateKey("witness.example", Kind.COSIGNATURE, Ed25519PrivateKey.from_private_bytes(b"w" * 32))
    entered, go_on = threading.Event(), threading.Event()

    def clock() -> datetime:
        entered.set()
        go_on.wait()
        return datetime.now(UTC)

    log = Remembered(tmp_path, [author.signer.verifier], mine.public, history_seconds=0)
    witnessing = Witnessing([log], [mine], clock, tell=lambda _event, _facts: None)
    first = asyncio.create_task(witnessing.add_checkpoint(author.body(0, 4)))
    await asyncio.to_thread(entered.wait)
    others = asyncio.gather(witnessing.add_key(statement), witnessing.add_checkpoint(author.body(4, 6)))
    asyncio.get_running_loop().call_soon(go_on.set)

    assert (await first).status == 200
    assert [said.status for said in await others] == [200, 403]
    assert Remembered(tmp_path, [author.signer.verifier], mine.public, history_seconds=0).size == 4


async def test_of_two_changes_at_one_size_it_forgets_none(office: Office, author: Author) -> None:
    """The key may be changed twice before the next entry: after a restart the first key is retired still."""
    middle, new = (Author(signer=Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(each * 32))) for each in (b"m", b"n"))
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 5))).status == 200
        for old, following in ((author, middle), (middle, new)):
            statement = state_rotation(5, old.signer, following.signer).text.encode()
            assert (await witness.post(statement, "/rotate-key")).status == 200
    async with office.open() as witness:
        assert (await witness.post(author.body(5, 6))).status == 403
        assert (await witness.post(new.body(5, 6))).status == 200


@pytest.mark.parametrize("damage", [b"", b"\xff", b"showcause/rotate-key/v1\n"])
async def test_it_stops_when_a_statement_in_its_memory_is_altered(office: Office, author: Author, damage: bytes) -> None:
    """Without the statement a retired key would sign again: it refuses to start, and names the file."""
    new = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"n" * 32))
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 5))).status == 200
        assert (await witness.post(state_rotation(5, author.signer, new).text.encode(), "/rotate-key")).status == 200
    [statement] = (office.memory / "keys").iterdir()
    statement.write_bytes(damage)

    with pytest.raises(LogDamaged, match=statement.name):
        async with office.open():
            pass
    assert run(["witness", "status", "--config", str(office.config)]) == 1


async def test_a_retired_key_signs_nothing_that_it_takes(office: Office, author: Author) -> None:
    """The statement of both keys hands over; from then on a thief of the old key is refused, and cannot hand over again."""
    new = Author(signer=Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"n" * 32)))
    thief = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    statement = state_rotation(5, author.signer, new.signer).text.encode()
    stranger = state_rotation(5, thief, new.signer).text.encode()

    async with office.open() as witness:
        assert (await witness.post(author.body(0, 4))).status == 200
        assert (await witness.post(new.body(4, 6))).status == 403
        assert (await witness.post(stranger, "/rotate-key")).status == 403
        assert (await witness.post(statement[:-10] + b"AAAAAAAAA\n", "/rotate-key")).status == 400
        assert (await witness.post(statement, "/rotate-key")).status == 200
        assert (await witness.post(statement, "/rotate-key")).status == 200
        assert (await witness.post(author.body(4, 5))).status == 200
        assert (await witness.post(author.body(5, 6))).status == 403
        assert (await witness.post(new.body(5, 6))).status == 200
        again = state_rotation(7, author.signer, thief).text.encode()
        assert (await witness.post(again, "/rotate-key")).status == 403
        back = state_rotation(3, new.signer, thief).text.encode()
        assert (await witness.post(back, "/rotate-key")).status == 403
    async with office.open() as witness:
        assert (await witness.post(author.body(6, 7))).status == 403
        assert (await witness.post(new.body(6, 7))).status == 200


def _serve(office: Office) -> tuple[subprocess.Popen[bytes], str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "proxy", "witness", "serve", "--config", str(office.config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    said = json.loads(process.stderr.readline())
    assert said["event"] == "door open", said
    return process, f"http://127.0.0.1:{said['port']}"


@pytest.mark.faults
async def test_killed_at_any_moment_it_never_signs_two_roots_for_one_size(office: Office, author: Author) -> None:
    """It is killed while it signs, twice; after each the other history is tried at every size."""
    chance = random.Random(6)
    signed: dict[int, set[str]] = {}
    known = 0

    async def submit(witness: Client, writer: Author, old: int, size: int) -> int | None:
        try:
            answer = await witness.post(writer.body(old, size))
        except (aiohttp.ClientError, OSError):
            return None
        if answer.status == 200:
            signed.setdefault(size, set()).add(writer.word.decode())
        return answer.status

    for _ in range(2):
        process, url = await asyncio.to_thread(_serve, office)
        try:
            async with aiohttp.ClientSession() as session:
                witness = Client(url, session)
                answer = await witness.post(author.body(0, known or 1))
                known = int(answer.body) if answer.status == 409 else 1
                for size in range(max(known - 2, 1), known + 3):
                    assert await submit(witness, FORK, known, size) in {400, 409, 422}
                size, spared = known, chance.randrange(2, 8)
                while (status := await submit(witness, author, size, size + 1)) is not None:
                    assert status == 200
                    size += 1
                    if size == known + spared:
                        moment = chance.uniform(0, 0.02)
                        asyncio.get_running_loop().call_later(moment, process.send_signal, signal.SIGKILL)
        finally:
            process.kill()
            process.communicate()

    assert len(signed) >= 4
    assert all(len(histories) == 1 for histories in signed.values())


async def test_an_office_is_told_which_key_is_which_and_when_it_signed(
    tmp_path: Path, author: Author, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each verifier key with its algorithm, times as people write them, and nothing to be done that is done already."""
    folder = tmp_path / "office"
    command = ["witness", "init", "w.example", "--folder", str(folder), "--post-quantum"]
    assert run([*command, "--log", author.signer.verifier.vkey]) == 0
    made = capsys.readouterr().out
    assert run([*command[:4], str(tmp_path / "other")]) == 0
    alone = capsys.readouterr().out
    office = Office(folder)
    office.config.write_text(office.config.read_text().replace("port: 8450", "port: 0"))
    async with office.open() as witness:
        assert (await witness.post(author.body(0, 9))).status == 200
    assert run(["witness", "status", "--config", str(office.config)]) == 0
    status = capsys.readouterr().out
    assert run(["witness", "status", "--config", str(office.config), "--json"]) == 0
    [log] = json.loads(capsys.readouterr().out)["logs"]

    for said in (made, status):
        assert re.search(r"^verifier key \(Ed25519\): w\.example\+", said, re.MULTILINE)
        assert re.search(r"^verifier key \(ML-DSA-44\): w\.example\+", said, re.MULTILINE)
    assert "tell these keys to whoever verifies the log, and run" in made
    assert "tell this key to whoever verifies the log, put the log's key into the file, and run" in alone
    assert f"9 entries signed for at {log['time']}, root" in status
    assert abs(datetime.now(UTC) - datetime.fromisoformat(log["time"])) < timedelta(minutes=5)


def test_a_submission_reads_as_it_is_written(author: Author) -> None:
    """What the log's side encodes is what the specification's client writes."""
    assert encode(3, author.proof(3, 9), author.checkpoint(9).text) == author.body(3, 9)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("name: witness.example", "name: two words", "visible ASCII"),
        ("keys: ['", "keys: ['x", "key id of this verifier key"),
        ("  host: 127.0.0.1", "  host: 0.0.0.0", "needs 'tls'"),
        ("memory: memory", "memori: memory", "did you mean 'memory'"),
    ],
)
def test_a_wrong_configuration_is_told_with_its_line(
    office: Office, before: str, after: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line, column and what to do, as for every other file that a person edits."""
    office.config.write_text(office.config.read_text().replace(before, after))

    assert run(["witness", "serve", "--config", str(office.config)]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert "witness.yaml:" in said
