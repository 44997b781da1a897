"""What is told of the parts although nobody asks."""

from __future__ import annotations

from proxy.readiness import Watch
from proxy.telemetry import Metrics, make_logger
from proxy.web.ops import Check
from tests.telemetry.lines import Lines

WELL = Check(name="log", ok=True)
BROKEN = Check(name="log", ok=False, reason="a write or fsync failed (No space left on device): restart this node to recover")
TROUBLED = Check(name="log", ok=True, warns=True, reason="tiles cannot be published")


async def watched(*looks: Check) -> tuple[list[tuple[str, str, str]], Metrics]:
    """Return what was said in so many looks, each as level, event and reason, and the metrics after them."""
    lines, metrics, left = Lines(), Metrics(), list(looks)

    async def ready() -> list[Check]:
        return [left.pop(0)]

    watch = Watch(ready, metrics, make_logger("json", 20, lines))
    for _ in looks:
        await watch.turn()
    return [(said["level"], said["event"], said.get("reason", "")) for said in lines.said], metrics


async def test_a_part_that_breaks_is_told_of_once_and_so_is_its_end() -> None:
    """With the reason, so that the journal alone says what to do."""
    said, metrics = await watched(WELL, WELL, BROKEN, BROKEN, BROKEN, WELL, WELL, WELL)

    assert said == [("error", "a part does not work", BROKEN.reason), ("info", "a part works again", "")]
    assert metrics.registry.get_sample_value("showcause_part_ready", {"part": "log"}) == 1


async def test_trouble_that_keeps_no_answer_back_is_a_warning() -> None:
    """The node is ready; the metric for warnings shows it."""
    said, metrics = await watched(WELL, TROUBLED, TROUBLED)

    assert said == [("warning", "a part is in trouble", TROUBLED.reason)]
    assert metrics.registry.get_sample_value("showcause_part_warns", {"part": "log"}) == 1
    assert metrics.registry.get_sample_value("showcause_part_ready", {"part": "log"}) == 1


async def test_what_passes_within_a_moment_is_not_told_of() -> None:
    """A start, at which nothing has been asked yet, rings nobody."""
    said, metrics = await watched(BROKEN, WELL, WELL, TROUBLED, WELL, WELL)

    assert said == []
    assert metrics.registry.get_sample_value("showcause_part_ready", {"part": "log"}) == 1


async def test_a_part_that_is_broken_from_the_start_is_told_of() -> None:
    """It does not have to have worked before."""
    said, metrics = await watched(BROKEN, BROKEN)

    assert [event for _, event, _ in said] == ["a part does not work"]
    assert metrics.registry.get_sample_value("showcause_part_ready", {"part": "log"}) == 0
