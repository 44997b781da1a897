from __future__ import annotations

import json
import os
import re
import select
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest
import structlog

from proxy.standard_error import StandardError
from proxy.telemetry import EntryLines, make_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = b'{"event":"entry"}\n'


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, int]]:
    """Return a pipe's end to read from, and its other end."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as reader:  # noqa: PTH123 -- a descriptor has no path
        yield cast(BinaryIO, reader), writing
        os.close(writing)


def read_until(reader: BinaryIO, end: bytes) -> bytes:
    """Read until what was read matches ``end``."""
    found = b""
    while not re.search(end, found):
        assert select.select([reader], [], [], 10)[0], f"nothing more came after {found[-80:]!r}"
        found += reader.read(65536)
    return found


def test_lines_come_out_whole_and_in_order(pipe: tuple[BinaryIO, int]) -> None:
    """From any thread."""
    reader, writing = pipe
    out = StandardError(writing)
    threads = [
        threading.Thread(target=lambda name=name: [out.write(b"%d-%d\n" % (name, number)) for number in range(200)])
        for name in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.write(b"end\n")

    lines = read_until(reader, b"end\n\\Z").splitlines()[:-1]

    out.close()
    for name in range(4):
        assert [line for line in lines if line.startswith(b"%d-" % name)] == [
            b"%d-%d" % (name, number) for number in range(200)
        ]


def test_a_reader_that_stalls_holds_up_nobody(pipe: tuple[BinaryIO, int]) -> None:
    """Writing goes on, memory is bounded, and what was dropped is said once somebody reads again."""
    reader, writing = pipe
    out = StandardError(writing, most_bytes=200_000)

    began = time.monotonic()
    for _ in range(100_000):
        out.write(LINE)
    assert time.monotonic() - began < 5

    kept = dropped = 0
    while kept + dropped < 100_000:
        said = [json.loads(line) for line in read_until(reader, rb"\n\Z").splitlines()]
        kept += sum(line["event"] == "entry" for line in said)
        dropped += sum(line["count"] for line in said if line["event"] == "lines dropped")
    out.close()
    assert kept + dropped == 100_000
    assert dropped > 50_000


def test_what_was_dropped_is_said_although_nothing_follows(pipe: tuple[BinaryIO, int]) -> None:
    """A block that is too large for what waits is told of at once, and does not stay untold until somebody writes again."""
    reader, writing = pipe
    out = StandardError(writing, most_bytes=200_000)

    out.write(b"x" * 200_001)

    assert json.loads(read_until(reader, rb"\n\Z")) == {"event": "lines dropped", "level": "warning", "count": 1}
    out.close()


def test_closing_does_not_wait_for_a_reader_that_stalls(pipe: tuple[BinaryIO, int]) -> None:
    """A stop takes a second longer, not for ever."""
    _, writing = pipe
    out = StandardError(writing)
    out.write(b"x" * 300_000)

    began = time.monotonic()
    out.close()

    assert time.monotonic() - began < 5


def test_a_reader_that_is_gone_is_nobody_s_trouble() -> None:
    """Neither who writes nor who closes is told."""
    reading, writing = os.pipe()
    os.close(reading)
    out = StandardError(writing)
    for _ in range(100):
        assert out.write(LINE) == len(LINE)
    out.close()
    os.close(writing)


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_operational_line_holds_what_is_allowed(pipe: tuple[BinaryIO, int], style: str) -> None:
    """A field that is not on the list is not printed, in either style."""
    reader, writing = pipe
    out = StandardError(writing)
    logger = make_logger("json" if style == "json" else "console", 20, out)

    logger.info("door open", door="ops", port=9440, surname="Quimby", query="given_name=Wallace")
    logger.debug("not at this level")

    said = read_until(reader, b"\n")
    assert b"9440" in said
    assert b"Quimby" not in said
    assert b"Wallace" not in said
    if style == "json":
        assert json.loads(said).keys() == {"event", "level", "timestamp", "door", "port"}
    structlog.reset_defaults()
    out.close()


def test_the_copy_of_the_entries_is_written_in_blocks(pipe: tuple[BinaryIO, int]) -> None:
    """A line for each entry, on flush or when a block is full."""
    reader, writing = pipe
    out = StandardError(writing)
    lines = EntryLines(out.write, block_bytes=200)

    for index in range(3):
        lines({"index": index, "facts": {"outcome": "permit"}})
    lines.flush()
    out.write(b"end\n")

    said = read_until(reader, b"end\n\\Z").splitlines()[:-1]
    out.close()
    assert [json.loads(line)["index"] for line in said] == [0, 1, 2]
