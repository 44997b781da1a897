"""What Showcause costs, side by side with what it could be compared to.

    python -m tests.bench            # a table, in under four minutes
    python -m tests.bench --json     # the same as JSON
    python -m tests.bench --only bare,showcause --rounds 1 --seconds 1

On one fast upstream (nginx, static JSON of 1 KB and 20 KB) run: the upstream itself (``direct``), nginx as a plain reverse
proxy (``nginx``), mitmproxy in reverse mode with an add-on that parses the body (``mitmproxy``, in a virtual environment of
its own that is made on demand), a bare aiohttp ``ClientSession`` pass-through (``bare``), and Showcause with everything on:
keys, cases, policy, a registry, inspection and the durable log (``showcause``, started as ``python -m proxy serve``). All
get the same realistic headers over 32 keep-alive connections, in rounds that interleave them, so that a noisy neighbor
is noise for each; the medians are told. Each process under test is bound to one processor, load and upstream to another.
CPU per request is user and system time of the whole process tree from /proc. Everything stays on 127.0.0.1, and every
loop is bounded in time.

Needs Linux, nginx and, better than the load generator here, wrk: ``apt-get install nginx-light wrk``.
"""

from __future__ import annotations

import sys

from tests.bench.run import main

if __name__ == "__main__":
    sys.exit(main())
