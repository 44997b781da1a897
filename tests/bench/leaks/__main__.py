"""Whether the leak trace finds who leaked: 200 seeded leaks in simulated months of a department of 1,000 officers.

    python -m tests.bench.leaks                 # the reported seeds: five months, 200 leaks and those beside them
    python -m tests.bench.leaks --tuning        # other seeds, on which the ranking's figures were chosen
    python -m tests.bench.leaks --json

The 200 are dealt over ten classes. A draw that more than ten officers had been shown whole is no member of the 200: nothing but
its time could tell its source from the others. It is counted as *a crowd saw it*, beside the 200, as are disguises (dilution,
a decoy) and what no log can tell: everybody was briefed, a colleague's session, a source outside. All are drawn and ranked in
the same run, and printed; so are the 200 and the crowds together. Many leaks concern somebody whom no more than three officers
looked up, where any order finds the leaker among the first three; so the rest is told apart, by how many officers had been
shown anything of it.

Each row compares the trace with what anybody would try first: who was shown it last, who looked most often, who saw all
of it (by lot among equals); and with the trace if it knew how the simulation draws delays. The columns are the leaker's share
of first places and of the first three.
"""

from __future__ import annotations

import sys

from tests.bench.leaks.run import main

if __name__ == "__main__":
    sys.exit(main())
