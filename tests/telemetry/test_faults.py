"""What nobody foresaw is told in one line, in our words."""

from __future__ import annotations

import asyncio
import errno
import logging
import os

from proxy.telemetry import Faults, make_logger
from tests.telemetry.lines import Lines


def test_what_the_loop_says_is_one_line_without_the_words_of_a_query() -> None:
    """Asyncio prints the arguments of a callback, and the text of an exception; either may be a name."""
    lines = Lines()
    faults = Faults(make_logger("json", 20, lines), lambda: 0.0)

    def fails(_name: str) -> None:
        raise ValueError("Eleanor Whitcombe")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(faults.of_the_loop)
        loop.call_soon(fails, "Eleanor Whitcombe")
        await asyncio.sleep(0)

    asyncio.run(main())

    [said] = lines.said
    assert said["error_type"] == "ValueError"
    assert said["where"].startswith("test_faults.py:")
    assert "Whitcombe" not in str(said)


def test_a_storm_is_one_line_a_second_with_a_count() -> None:
    """A loop without files to open says so a hundred thousand times, each time with a traceback."""
    lines, moments = Lines(), iter([0.0, 0.1, 0.5, 1.1])
    faults = Faults(make_logger("json", 20, lines), lambda: next(moments))
    full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    for _ in range(4):
        faults.of_the_loop(None, {"message": "socket.accept() out of system resource", "exception": full})

    assert [(said["reason"], said["count"]) for said in lines.said] == [
        ("socket.accept: Too many open files", 1),
        ("socket.accept: Too many open files", 3),
    ]


def test_a_library_is_named_and_not_quoted() -> None:
    """What it says may hold what it was asked."""
    lines = Lines()
    faults = Faults(make_logger("json", 20, lines), lambda: 0.0)
    speaker = logging.getLogger("some.library")
    speaker.addHandler(faults)
    try:
        speaker.info("nothing of note")
        speaker.warning("could not read %s", "Eleanor Whitcombe")
    finally:
        speaker.removeHandler(faults)

    [said] = lines.said
    assert said["reason"] == "said by some.library"
    assert "Whitcombe" not in str(said)
