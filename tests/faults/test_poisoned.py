"""A disk that fails under the running server: nothing is released that is not recorded, and everybody is told so."""

from __future__ import annotations

import resource
import signal

import pytest

from tests.faults.served import Served, under_load

pytestmark = pytest.mark.faults


async def assert_poisoned(served: Served) -> None:
    """Every query is refused as one that could not be recorded; readiness and metrics say why."""
    answered = upstream_count((await served.ops("/metrics"))[1])
    async with served.client() as session:
        for target in [*served.ordinary(), *served.protected(), "/records/persons.csv"]:
            answer = await served.ask(session, target)
            assert (answer.status, answer.problem, answer.entry) == (503, "audit-unavailable", "")
    status, ready = await served.ops("/readyz")
    assert (status, b"restart this node" in ready) == (503, True)
    assert any(why in ready for why in (b"Input/output error", b"the disk is full"))
    assert (await served.ops("/livez"))[0] == 200
    metrics = (await served.ops("/metrics"))[1]
    assert b"showcause_audit_poisoned 1.0" in metrics
    assert upstream_count(metrics) == answered


def upstream_count(metrics: bytes) -> list[bytes]:
    """Return how many queries reached the records server, by outcome."""
    return [line for line in metrics.split(b"\n") if line.startswith(b"showcause_upstream_seconds_count")]


async def assert_well_after_a_restart(served: Served) -> None:
    """A fresh process recovers the log; what was answered is in it, and queries are answered again."""
    await served.end(signal.SIGTERM)
    await served.start()
    code, said = await served.verified()
    assert code == 0, said
    assert served.missing() == []
    async with served.client() as session:
        assert (await served.ask(session, served.ordinary()[0])).status == 200
    assert b"showcause_audit_poisoned 0.0" in (await served.ops("/metrics"))[1]
    assert await served.end(signal.SIGTERM) == 0


async def test_a_failing_fsync_stops_every_answer(served: Served, strace: str) -> None:
    """From the first EIO on nothing is answered, though the disk takes every write."""
    inject = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=60+"]
    await served.start(strace, "-D", "-f", "-qq", "-o", "/dev/null", *inject)

    await under_load(served, 8, lambda: any(answer.status == 503 for answer in served.answers), seed=0)

    assert any(answer.status == 200 for answer in served.answers)
    await assert_poisoned(served)
    await assert_well_after_a_restart(served)


async def test_a_full_disk_stops_every_answer(served: Served) -> None:
    """No file may grow any more, in the middle of a batch."""
    await served.start()
    await under_load(served, 8, lambda: len(served.answers) > 60, seed=0)
    assert served.process is not None
    segment = max((served.home.data / "log" / "segments").glob("*.seg"))
    size = segment.stat().st_size + 1500
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (size, size))

    await under_load(served, 8, lambda: any(answer.status == 503 for answer in served.answers), seed=1)

    assert segment.stat().st_size == size
    await assert_poisoned(served)
    await assert_well_after_a_restart(served)
