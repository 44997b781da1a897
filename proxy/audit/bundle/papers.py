"""What a court reads: the README and the certification of Federal Rules of Evidence 902(13) and 902(14).

Blanks are left only for what the program cannot know: who signs, what qualifies them, where, and when.

A verifier writes them anew and compares (``retelling``), so their wording is part of the form of a bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.audit.bundle.layout import BAG_INFO, CERTIFICATION, MANIFEST, README, STAMP
from proxy.tlog.note import signatures_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.bundle.question import Asked
    from proxy.tlog.note import Checkpoint

_WHAT: Final = {
    "officer": "every entry about what was asked or done by the officer",
    "subject": "every entry about the protected person known to the registry as",
    "person_id": "every entry about the person with the record number",
    "case": "every entry made under the case",
    "terminal": "every entry from the terminal",
    "entries": "the entries with the numbers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the papers are filled with.

    ``files`` and ``size`` are the payload's number of files and bytes; ``stamped`` is a time as text, or empty.
    """

    asked: Asked
    checkpoint: Checkpoint
    program: str
    manifest: str
    stamped: str
    files: int
    size: int

    @property
    def key(self) -> str:
        """Return name and id of the key whose line is the log's first on the checkpoint."""
        mine = next(each for each in signatures_of(self.checkpoint.text) if each.name == self.checkpoint.origin)
        return f"{mine.name}+{mine.key_id.hex()}"

    @property
    def witnessed(self) -> tuple[str, ...]:
        """Return the names on the checkpoint's lines other than the log's."""
        return cosigners(self.checkpoint)


def papers(facts: Facts) -> Mapping[str, bytes]:
    """Return every paper by its name."""
    return {BAG_INFO: bag_info(facts), README: readme(facts), CERTIFICATION: certification(facts)}


def cosigners(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return who else than the log has a line on a checkpoint, unverified."""
    names = [each.name for each in signatures_of(checkpoint.text)]
    return tuple(dict.fromkeys(name for name in names if name != checkpoint.origin))


def sought(asked: Asked) -> str:
    """Return in words what was asked."""
    question = asked.question
    what = f"{_WHAT[question.by]} {question.value}".rstrip()
    if question.since or question.until:
        what += f", from {question.since or 'the beginning'} to {question.until or 'the end'}"
    return what


def bag_info(facts: Facts) -> bytes:
    """Return BagIt's ``bag-info.txt``."""
    return (
        f"Bag-Software-Agent: Showcause\nBagging-Date: {facts.asked.exported_at[:10]}\n"
        f"External-Identifier: {facts.asked.origin}\nPayload-Oxum: {facts.size}.{facts.files}\n"
    ).encode()


def readme(facts: Facts) -> bytes:
    """Return what this is, what it proves, what it does not, and how to check it."""
    asked, checkpoint = facts.asked, facts.checkpoint
    stretch = asked.stretch
    claim = (
        "The entries were asked for by their numbers. Nothing is claimed about other entries."
        if stretch is None
        else f"""\
The answer is complete for entries {stretch.first} to {stretch.end - 1} of the log: all of them are in data/range, as the log
signed them, and whoever checks can look through them for an entry that should be here and is not. This rests on two things.
The marks ("tokens") in data/question.json must be those of the person or thing asked about: the office that holds the log's
index key can confirm that, and the opened entries name them. And an entry's time is that of the server's clock."""
    )
    witnesses = (
        f"It was cosigned by {', '.join(facts.witnessed)}, who keep their own record of it."
        if facts.witnessed
        else "No independent witness has cosigned it: that nothing was rewritten rests on the log's own key, and on\n"
        "checkpoints that others have kept."
    )
    stamped = f"\nA time-stamping authority says that the list of files existed on {facts.stamped}.\n" if facts.stamped else ""
    return f"""\
EVIDENCE FROM AN AUDIT LOG

The folder holds entries of the audit log {asked.origin}, which records every query of a police records system before the
query is answered.

What was asked     {sought(asked)}
Entries            {len(asked.entries)}, of which {len(asked.disclosed)} are opened for reading
Exported           {asked.exported_at} by {asked.exporter}
For the case       {asked.case}
Reason given       {asked.statement}
State of the log   {checkpoint.size} entries, root {checkpoint.root.hex()}
Key of the log     {facts.key}
This bundle's name {facts.manifest}
                   (SHA-256 of {MANIFEST}; the log's own entry `exported` states it too)

WHAT IT PROVES

That each entry is in the log, unaltered, at its place. The log is a Merkle tree (RFC 6962) whose state was signed.
{witnesses}
{stamped}
{claim}

WHAT IT DOES NOT PROVE

That what an officer typed is true. That the person who signed in was the person named. That a query made around this system
did not happen. These need other evidence.

An entry `disclosed` is written before its answer leaves. Where an entry `unwitnessed` with released = false names it, the
answer never left: no witness had signed for it, and nobody was shown anything of it.

HOW TO LOOK AT IT

Open data/viewer.html in a browser. It needs no network and sends nothing. Choose this folder when it asks, and type in the
log's key, which you must get FROM THE LOG'S OFFICE AND NOT FROM THIS FOLDER. The viewer comes with the evidence and is a
convenience. An expert should check with a tool of their own:

    showcause audit verify-bundle FOLDER --key KEY [--manifest SHA256] [--witness-policy FILE] [--tsa-ca FILE]

or, without this product, as deploy/verify/README.md of its public source describes: with Go's own golang.org/x/mod/sumdb,
or with one page of Python and the package pymerkle.

Some entries hold the names of people. The keys in data/keys open exactly those entries and no others. Handle the folder as you
would the records themselves.
""".encode()


def certification(facts: Facts) -> bytes:
    """Return the template of the certification; brackets mark what only its signer knows."""
    asked, checkpoint = facts.asked, facts.checkpoint
    cosigned = f" and cosigned by {', '.join(facts.witnessed)}" if facts.witnessed else ""
    stamped = f", and by the time-stamp in {STAMP}, which is dated {facts.stamped}" if facts.stamped else ""
    complete = (
        ""
        if asked.stretch is None
        else f"""
6. Completeness. The bundle also holds every entry of the log from number {asked.stretch.first} to {asked.stretch.end - 1},
   so that it can be checked by computation that no entry of that range which carries the marks stated in
   data/question.json was left out.
"""
    )
    return f"""\
CERTIFICATION OF RECORDS GENERATED BY AN ELECTRONIC PROCESS AND OF DATA COPIED FROM AN ELECTRONIC FILE
Federal Rules of Evidence 902(13) and 902(14), in the form of 902(11); 28 U.S.C. 1746

I, [NAME], state:

1. I am employed by [AGENCY] as [TITLE]. I am qualified to make this certification because [TRAINING AND EXPERIENCE WITH THE
   SYSTEM DESCRIBED BELOW].

2. The system. {facts.program} stands before the records system of the agency. For every query it writes an entry to an
   append-only audit log, named {asked.origin}, before the query is forwarded and again before anything of the reply is
   released. Entries are written by the program at or near the time of the event, as a regular practice, and not by hand.

3. The process and its accuracy (902(13)). Each entry is a leaf of a Merkle hash tree (RFC 6962, SHA-256). After each batch
   of entries the program signs the number of entries and the tree's root with the key {facts.key}{cosigned}.
   A change, removal, insertion or reordering of any entry gives another root. [STATE HOW YOU KNOW THAT THE SYSTEM WAS IN ORDER
   IN THE TIME CONCERNED: VERIFICATION RUNS, WITNESSES, MONITORING.]

4. The records. On {asked.exported_at} {asked.exporter} exported from that log, for the case {asked.case}:
   {sought(asked)}.
   The answer has {len(asked.entries)} entries. The log then held {checkpoint.size} entries with the root
   {checkpoint.root.hex()}.

5. The copy (902(14)). The copied data are identified by the SHA-256 hash of each file, as listed in {MANIFEST},
   whose own SHA-256 hash is
   {facts.manifest}{stamped}.
   The same hash stands in the log's entry `exported`. I have compared [OR: HAD COMPARED] the copy with these values, by
   [TOOL AND ITS RESULT], and they agree.
{complete}
[{"7" if complete else "6"}]. [ANYTHING ELSE, SUCH AS CLOCK SYNCHRONIZATION OR CHAIN OF CUSTODY.]

This certification concerns authenticity. It makes no statement about the truth of what the entries record.

I declare under penalty of perjury under the laws of the United States of America that the foregoing is true and correct.

Executed on [DATE], at [PLACE].


______________________________
[NAME, TITLE, AGENCY, ADDRESS, TELEPHONE]

(The proponent must give an adverse party reasonable written notice of the intent to offer these records, and must make the
records and this certification available for inspection: FRE 902(11).)
""".encode()
