"""How well Showcause recognizes, road by road, side by side with others, on data that we did not make.

    python -m tests.bench.evaluation                                  # the reporting part, everything
    python -m tests.bench.evaluation --part tuning --only exact,showcause --misses /tmp/misses.jsonl
    python -m tests.bench.evaluation --part tuning --only showcause --in-process --folds 1 --roads "address alone"
    python -m tests.bench.evaluation --json

One command: the first run makes a virtual environment of its own (a few minutes), from the locks beside this file.

Every data set is split in two by a hash of the original's id. Whoever tunes looks at the *tuning* part; what is stated
anywhere is the *reporting* part's, which is the default. In each part the originals are dealt into folds of about 500:
a fold's originals are enrolled, their corrupted twins must be recognized, and the originals and twins of all other folds
are the ordinary queries. Who is recognized as somebody else counts as missed and as needless.

A row's columns: recall in percent; needless recognitions per 1,000 ordinary queries; how many queries meant somebody
protected, how many of them were missed, and how many of the missed share no field with what was enrolled; the ordinary
queries, the needless recognitions, and the queries where somebody else was recognized beside the right person; and
microseconds a query (of Showcause: ``recognizer.protections``, normalization included).

The systems: ``exact`` (equality), ``rapidfuzz`` (an afternoon's work), ``logic-v2`` and ``ofac`` (nomenklatura, from sanctions
screening, as it ships; asked ``--peer-folds`` of the folds, since it takes milliseconds a query), and ``showcause`` as its
user gets it: ``registry import`` and ``registry recognize`` as processes.

Three studies (``--studies febrl,variants,sizes``): FEBRL's sets 1 to 3; variants of names, dates, numbers and addresses, where
the names are the census's, other countries' and a nickname list's, and what is done to them is generated; and ordinary names
by their frequency against registries of 100, 1,000 and 10,000 (``--large``: 100,000). Those that compare with everybody are
not asked of the last. ``--misses FILE`` writes everything that Showcause got wrong.

FEBRL's set 4 serves a held-out run and cannot be read here.
"""

from __future__ import annotations

import sys

from tests.bench.evaluation.run import main

if __name__ == "__main__":
    sys.exit(main())
