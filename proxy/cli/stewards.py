"""``registry change``, ``remove``, ``proposals``, ``approve``, ``refuse``: one steward adds, two lessen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, emit, say, settings_of, table
from proxy.cli.recording import operator
from proxy.cli.registering import IN_FORCE, changing, given, words_of
from proxy.clock import stamp, utc_now
from proxy.registry.lines import LineRefused
from proxy.registry.person import EntryUnknown
from proxy.registry.stewards import ProposalUnfit, ProposalUnknown, StewardIneligible
from proxy.registry.wishes import Wish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.registry.changes import Proposal
    from proxy.registry.person import Entry
    from proxy.registry.stewards import Changed, Stewards
    from proxy.settings import Settings

app = typer.Typer()

LIST: Final = "list"
MOST_REASON: Final = 1000
COLUMNS: Final = ("id", "entry", "category", "what", "by", "at", "expires", "reason")
Done = TypeVar("Done")

EntryArgument = Annotated[str, typer.Argument(help="The entry's id, as `registry list` shows it.")]
ProposalArgument = Annotated[str, typer.Argument(help="The proposal's id, as `registry proposals list` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it goes into the log.")]
WordsOption = Annotated[str, typer.Option(help="Classes of fields.yaml, divided by a semicolon.")]


@app.command()
def change(
    entry: EntryArgument,
    *,
    reason: ReasonOption,
    expires: Annotated[str, typer.Option("--expires", help="The last day of protection, YYYY-MM-DD, or never.")] = "",
    review: Annotated[str, typer.Option("--review", help="The day by which to look again, YYYY-MM-DD, or never.")] = "",
    category: Annotated[str, typer.Option("--category", help="A category of vocabulary.yaml, or none.")] = "",
    household: Annotated[str, typer.Option("--household", help="The household's name, or none.")] = "",
    basis: Annotated[str, typer.Option("--basis", help="The legal basis: a statute, an order's number.")] = "",
    mask: WordsOption = "",
    unmask: WordsOption = "",
    identifiers: Annotated[
        bool, typer.Option("--identifiers", help='Read {"add": {…}, "drop": {…}} from standard input, keys as in an import.')
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Change an entry. What adds to its protection takes effect at once; what lessens it waits for a second steward."""
    raw = _identifiers_given() if identifiers else {}
    wish = Wish(
        expires=expires, review=review, category=category, household=household, basis=basis, mask=_divided(mask),
        unmask=_divided(unmask), add=raw.get("add", {}), drop=raw.get("drop", {}),
    )  # fmt: skip
    settings = settings_of(config)
    words = words_of(settings)

    def wanted(there: Entry) -> Entry:
        return wish.of(there, categories=words["categories"], classes=words["classes"], now=utc_now())

    changed = _done(settings, lambda stewards: stewards.change(entry, wanted, by=operator(), reason=_said(reason)))
    if as_json:
        emit(_changed(changed))
        return
    if changed.gained:
        say(f"{entry}: {', '.join(changed.gained)} changed; {IN_FORCE}")
    if changed.proposal is not None:
        _tell_waiting(changed.proposal)
    if not changed.gained and changed.proposal is None:
        say("as it was; nothing changed")


@app.command()
def remove(
    entry: EntryArgument, *, reason: ReasonOption, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Propose to end a person's protection: a second steward has to agree."""
    made = _done(settings_of(config), lambda stewards: stewards.remove(entry, by=operator(), reason=_said(reason)))
    if as_json:
        emit({"proposed": made.id, "entry": made.entry, "category": made.category, "expires": stamp(made.expires)})
    else:
        _tell_waiting(made)


@app.command()
def proposals(
    what: Annotated[str, typer.Argument(help="list, which may be left out.")] = LIST,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List what waits for a second steward. No value is shown, only what kinds of it would go. Exit 1 when something waits."""
    if what != LIST:
        raise CommandFailed(
            f"`registry proposals` has no '{what}'",
            help="`registry approve PROPOSAL` agrees to one, `registry refuse PROPOSAL` does not",
            code=Code.WRONG_USE,
        )
    found = _done(settings_of(config), lambda stewards: stewards.proposals())
    rows = [_row(each) for each in found]
    if as_json:
        emit(rows)
    elif rows:
        table(COLUMNS, [[str(row[column]) or "-" for column in COLUMNS] for row in rows])
    else:
        say("nothing waits for a second steward")
    if rows:
        raise typer.Exit(int(Code.FOUND))


@app.command()
def approve(proposal: ProposalArgument, *, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Agree, as a second steward, to what another proposed, and do it."""
    agreed = _done(settings_of(config), lambda stewards: stewards.approve(proposal, by=operator()))
    what = list(agreed.less.what())
    if as_json:
        emit({"approved": agreed.id, "entry": agreed.entry, "what": what})
    elif agreed.less.remove:
        say(f"{agreed.entry} ({agreed.category or 'household'}) is protected no longer; {IN_FORCE}")
    else:
        say(f"{agreed.entry}: {', '.join(what)} changed; {IN_FORCE}")


@app.command()
def refuse(
    proposal: ProposalArgument, *, reason: ReasonOption, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Refuse what another proposed, or withdraw what you did."""
    gone = _done(settings_of(config), lambda stewards: stewards.refuse(proposal, by=operator(), reason=_said(reason)))
    if as_json:
        emit({"refused": gone.id, "entry": gone.entry, "what": list(gone.less.what())})
    else:
        say(f"{gone.id} is refused; {gone.entry} stays as it is")


def _done(settings: Settings, use: Callable[[Stewards], Awaitable[Done]]) -> Done:
    """Return what a steward's use case came to.

    Raises:
        CommandFailed: it is refused, with the reason.
    """

    async def run() -> Done:
        async with changing(settings) as (_, stewards):
            return await use(stewards)

    try:
        return asyncio.run(run())
    except (EntryUnknown, LineRefused, ProposalUnfit, ProposalUnknown, StewardIneligible) as refused:
        raise CommandFailed(str(refused), code=Code.WRONG_USE) from None


def _said(reason: str) -> str:
    if not 0 < len(reason.strip()) <= MOST_REASON:
        raise CommandFailed(
            f"the reason is empty, or longer than {MOST_REASON} characters", help="say why it ends", code=Code.WRONG_USE
        )
    return reason


def _divided(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(";") if word.strip())


def _identifiers_given() -> dict[str, Any]:
    raw = given()
    if not set(raw) <= {"add", "drop"} or not all(isinstance(each, dict) for each in raw.values()):
        raise CommandFailed(
            "standard input is not the objects `add` and `drop` alone",
            help='like {"add": {"phone": "…"}, "drop": {}}',
            code=Code.WRONG_USE,
        )
    return raw


def _tell_waiting(proposal: Proposal) -> None:
    say(
        f"{proposal.entry}: {', '.join(proposal.less.what())} proposed; nothing changes until a second steward agrees, by "
        f"{stamp(proposal.expires)}: `registry approve {proposal.id}`"
    )


def _changed(changed: Changed) -> dict[str, object]:
    proposal = _row(changed.proposal) if changed.proposal else None
    return {"entry": changed.entry.id, "changed": list(changed.gained), "proposed": proposal}


def _row(proposal: Proposal) -> dict[str, object]:
    return {
        "id": proposal.id,
        "entry": proposal.entry,
        "category": proposal.category,
        "what": ";".join(proposal.less.what()),
        "by": proposal.by,
        "at": stamp(proposal.at),
        "expires": stamp(proposal.expires),
        "reason": proposal.reason,
    }
