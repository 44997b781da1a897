"""Who is told, outside the console, that something waits: through a real mail server and a real receiver of webhooks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.audit.owed import Duty
from proxy.document import DocumentInvalid
from proxy.escalation.lifecycle import State
from proxy.oversight.channels import ChannelUnusable
from proxy.oversight.notification import LAST_RETRY, Kind, Step, Waiting, retry_at, wanted
from proxy.oversight.store import Undone
from tests.oversight.conftest import NOTICE, START, Query

if TYPE_CHECKING:
    from tests.oversight.conftest import Room, Telling


async def test_an_escalation_is_told_with_an_id_and_a_link_alone(telling: Telling) -> None:
    """The supervisors' mailbox gets one mail, which holds nothing of who asked, about whom, or why."""
    notifier = telling.open()
    telling.escalate()
    await telling.turn(notifier)
    await telling.turn(notifier, seconds=1)

    (mail,) = telling.mailbox.mails
    text = mail.get_content()
    assert "https://console.example.gov/escalations/e1" in text
    assert mail["Auto-Submitted"] == "auto-generated"
    everything = mail.as_string()
    query = telling.escalations[0].asked
    assert not any(word in everything for word in (query.person, query.case, query.statement, query.agency, "official"))


async def test_what_nobody_answers_goes_up_the_chain(telling: Telling) -> None:
    """After two minutes without a decision the pager is told, once; a decided escalation is told nobody any more."""
    notifier = telling.open()
    telling.escalate("e1")
    telling.escalate("e2")
    await telling.turn(notifier)
    assert telling.pager.taken == []
    telling.escalations[1] = replace(telling.escalations[1], state=State.REFUSED)

    await telling.turn(notifier, seconds=121)
    await telling.turn(notifier, seconds=300)

    assert [told["data"]["url"] for _, told in telling.pager.taken] == ["https://console.example.gov/escalations/e1"]
    assert len(telling.mailbox.mails) == 1


async def test_an_agency_s_own_chain_takes_the_place_of_the_role_s(telling: Telling) -> None:
    """What waits in one agency is told by that agency's chain, and by no other."""
    notifier = telling.open()
    telling.escalate(agency="MO0960000")
    await telling.turn(notifier)

    assert [told["data"]["id"] for _, told in telling.pager.taken] == ["e1"]
    assert telling.mailbox.mails == []


async def test_what_comes_at_once_is_one_mail(telling: Telling) -> None:
    """Fifty things that wait are one mail with the first of them and a link to the rest."""
    notifier = telling.open()
    for number in range(50):
        telling.escalate(f"e{number:02}")
    await telling.turn(notifier)

    (mail,) = telling.mailbox.mails
    assert mail["Subject"] == "Showcause: 50 things wait for an answer"
    assert "And 30 more" in mail.get_content()


async def test_what_one_officer_piles_up_about_one_person_is_one_message_that_counts(telling: Telling) -> None:
    """Forty queries about one person are two messages, not forty: the first at once, the rest counted five minutes later."""
    notifier = telling.open()
    telling.escalate("e00", agency="MO0960000", subject="mayor")
    await telling.turn(notifier)
    for number in range(1, 40):
        telling.escalate(f"e{number:02}", agency="MO0960000", subject="mayor")
        await telling.turn(notifier, seconds=1)
    assert [told["data"]["count"] for _, told in telling.pager.taken] == [1]

    await telling.turn(notifier, seconds=300)
    await telling.turn(notifier, seconds=300)

    assert [(told["data"]["id"], told["data"]["count"]) for _, told in telling.pager.taken] == [("e00", 1), ("e01", 39)]
    await notifier.report()
    await telling.turn(notifier, minutes=11)
    await notifier.report()
    (reported,) = [event.facts() for event in telling.journal.events]
    assert len(reported["sent"]) == 40  # type: ignore[arg-type]


async def test_another_person_and_another_officer_are_told_at_once(telling: Telling) -> None:
    """A heap is one officer's about the same people: nobody hides behind the noise of somebody else."""
    notifier = telling.open()
    for number in range(3):
        telling.escalate(f"e{number}", agency="MO0960000", subject="mayor")
    telling.escalate("judge", agency="MO0960000", subject="judge")
    telling.escalate("other", agency="MO0960000", subject="mayor")
    telling.escalations[-1] = replace(telling.escalations[-1], asked=replace(telling.escalations[-1].asked, person="officer-2"))
    await telling.turn(notifier)

    told = {each["data"]["id"]: each["data"]["count"] for _, each in telling.pager.taken}
    assert told == {"e0": 3, "judge": 1, "other": 1}


async def test_a_heap_goes_up_the_chain_as_one_and_what_is_answered_leaves_it(telling: Telling) -> None:
    """Two minutes without an answer page once, with what is still open; who answered the first has not answered the others."""
    notifier = telling.open()
    for number in range(4):
        telling.escalate(f"e{number}", subject="mayor")
    await telling.turn(notifier)
    (mail,) = telling.mailbox.mails
    assert mail["Subject"] == "Showcause: 4 things wait for an answer"
    assert "And 3 more like it." in mail.get_content()
    telling.escalations[0] = replace(telling.escalations[0], state=State.REFUSED)

    await telling.turn(notifier, seconds=121)
    await telling.turn(notifier, seconds=600)

    assert [(told["data"]["id"], told["data"]["count"]) for _, told in telling.pager.taken] == [("e1", 3)]
    assert len(telling.mailbox.mails) == 1


async def test_who_was_counted_in_a_message_that_was_not_taken_is_counted_in_the_next(telling: Telling) -> None:
    """A heap whose message fails is not marked as told: all of it is in the one that is taken."""
    notifier = telling.open()
    telling.pager.status = 503
    for number in range(3):
        telling.escalate(f"e{number}", agency="MO0960000", subject="mayor")
    await telling.turn(notifier)
    telling.escalate("e3", agency="MO0960000", subject="mayor")
    telling.pager.status = 200
    await telling.turn(notifier, seconds=5)

    assert [told["data"]["count"] for _, told in telling.pager.taken] == [3, 4]


async def test_what_is_answered_before_its_heap_was_told_takes_nobody_with_it(telling: Telling) -> None:
    """The one that stood for the heap is decided while the receiver is away; the others are told without it."""
    notifier = telling.open()
    telling.pager.status = 503
    for number in range(3):
        telling.escalate(f"e{number}", agency="MO0960000", subject="mayor")
    await telling.turn(notifier)
    telling.escalations[0] = replace(telling.escalations[0], state=State.REFUSED)
    telling.pager.status = 200
    for _ in range(3):
        await telling.turn(notifier, seconds=20)

    assert [(told["data"]["id"], told["data"]["count"]) for _, told in telling.pager.taken[1:]] == [("e1", 2)]


async def test_notices_of_one_officer_about_one_person_are_one_heap(room: Room) -> None:
    """By whatever road they were asked for; each stays a duty of its own, and another officer's are another heap."""
    for number in range(3):
        await room.record(Query(owed=(NOTICE,), subject="entry-1", criteria=f"road-{number}"))
    await room.record(Query(owed=(NOTICE,), subject="entry-2"), Query(owed=(NOTICE,), subject="entry-1", person="officer-2"))

    waiting = room.oversight.undone()
    assert len(waiting) == 5
    heaps = [each.alike for each in waiting]
    assert sorted(heaps.count(each) for each in set(heaps)) == [1, 1, 3]
    assert all(each and "officer" not in each for each in heaps)


async def test_an_overdue_review_is_told_anew(telling: Telling) -> None:
    """A review is told when it is due, and again, from the first step of the chain, once it is late."""
    notifier = telling.open()
    due = START + timedelta(hours=4)
    telling.duties.append(Undone("r1", Duty.REVIEW, "supervisor", "MO0950000", START, due))
    await telling.turn(notifier)
    await telling.turn(notifier, hours=4)

    texts = [mail.get_content() for mail in telling.mailbox.mails]
    assert ["review is overdue" in text for text in texts] == [False, True]


async def test_a_refused_mail_is_tried_again_ever_more_seldom(telling: Telling) -> None:
    """What the server does not take is tried after 5, 10, 20 seconds; its words, which may hold a name, are not repeated."""
    notifier = telling.open()
    telling.mailbox.refusing = True
    telling.escalate()
    await telling.turn(notifier)
    await telling.turn(notifier, seconds=4)
    assert telling.count("failed") == 1
    await telling.turn(notifier, seconds=1)
    assert telling.count("failed") == 2
    assert notifier.trouble == "mail: the mail server refused the message"

    telling.mailbox.refusing = False
    await telling.turn(notifier, seconds=10)

    assert (len(telling.mailbox.mails), notifier.trouble) == (1, "")


async def test_after_a_day_it_is_given_up_and_the_log_says_so(telling: Telling) -> None:
    """A receiver that is gone for a day is given up; that is counted, and in the log's next report."""
    notifier = telling.open()
    telling.pager.status = 410
    telling.escalate(agency="MO0960000")
    await telling.turn(notifier)
    await telling.turn(notifier, hours=24)
    await telling.turn(notifier, hours=1)
    await notifier.report()
    await telling.turn(notifier, minutes=11)
    await notifier.report()

    assert len(telling.pager.taken) == 2
    (reported,) = [event.facts() for event in telling.journal.events]
    assert [(told["kind"], told["id"], told["channel"]) for told in reported["given_up"]] == [("escalation", "e1", "pager")]  # type: ignore[call-overload,index,union-attr]


async def test_the_log_is_told_at_a_steady_pace(telling: Telling) -> None:
    """A report stands in the log every ten minutes, with notifications or without: its number tells nobody of one."""
    notifier = telling.open()
    await notifier.report()
    for _ in range(3):
        await telling.turn(notifier, minutes=10)
        await notifier.report()
        await notifier.report()

    assert [event.facts() for event in telling.journal.events] == [{"sent": (), "given_up": ()}] * 3


async def test_a_redirect_is_not_followed(telling: Telling) -> None:
    """A receiver that answers with another place has not taken it."""
    notifier = telling.open()
    telling.pager.status = 307
    telling.escalate(agency="MO0960000")
    await telling.turn(notifier)

    assert notifier.trouble == "pager: the receiver answered 307"


async def test_a_process_that_dies_while_sending_loses_nothing(telling: Telling) -> None:
    """Another process takes it up after a while, under the same id, so that the receiver knows the repetition."""
    dying, other = telling.open(), telling.open()
    telling.escalate(agency="MO0960000")
    await dying.plan()
    telling.pager.answering.clear()
    sending = asyncio.create_task(dying.send("pager"))
    await telling.pager.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    telling.pager.answering.set()

    await telling.turn(other, seconds=10)
    assert len(telling.pager.taken) == 1
    await telling.turn(other, seconds=6)

    assert len({id_ for id_, _ in telling.pager.taken}) == 1
    assert len(telling.pager.taken) == 2


async def test_several_processes_tell_once(telling: Telling) -> None:
    """Of eight that plan and send at once, one sends."""
    telling.escalate(agency="MO0960000")
    notifiers = [telling.open() for _ in range(8)]
    await asyncio.gather(*(each.plan() for each in notifiers))
    await asyncio.gather(*(each.send("pager") for each in notifiers))

    assert len(telling.pager.taken) == 1


async def test_a_process_that_has_not_heard_of_a_matter_forgets_nothing(telling: Telling) -> None:
    """One whose view of what waits is a moment older does not take back what another has just planned."""
    ahead, behind = telling.open(), telling.open()
    telling.escalate(agency="MO0960000")
    await ahead.plan()
    hidden, telling.escalations = telling.escalations, []
    await behind.plan()
    telling.escalations = hidden
    await ahead.send("pager")

    assert len(telling.pager.taken) == 1


async def test_a_clock_that_was_set_back_holds_nothing_up(telling: Telling) -> None:
    """What was to be tried again at a time that is now far ahead is tried at once."""
    notifier = telling.open()
    telling.pager.status = 503
    telling.escalate(agency="MO0960000")
    telling.escalations = [replace(each, created_at=START - timedelta(days=2)) for each in telling.escalations]
    await telling.turn(notifier)
    telling.pager.status = 200
    await telling.turn(notifier, days=-1)

    assert len(telling.pager.taken) == 2


MALFORMED = (
    ("channels:\n", "chanels:\n", "did you mean 'channels'?"),
    ("host: 127.0.0.1, ", "", "'host' is missing"),
    ("kind: email", "kind: fax", "email"),
    ("host: 127.0.0.1", "host: mail.example.gov", "in the clear"),
    ("http://127.0.0.1", "http://pager.example.gov", "in the clear"),
    ("channels: [mail]", "channels: [male]", "did you mean 'mail'?"),
    ("shift@example.gov", "nobody", "no mail address"),
    ("  supervisor:\n", "  Supervisor:\n", "is no role"),
    ("after_seconds: 120", "after_seconds: 0", "later than the one before"),
    ("secret: pager.key", "secret: pager.key, sender: desk@example.gov", "of no use for webhook"),
    ("tls: none", "tls: none, user: desk", "go together"),
)


@pytest.mark.parametrize(("right", "wrong", "told"), MALFORMED)
async def test_a_wrong_file_says_where_and_what(telling: Telling, right: str, wrong: str, told: str) -> None:
    """Each mistake is told with its place, and the nearest valid word."""
    assert right in telling.text()
    with pytest.raises(DocumentInvalid) as caught:
        telling.open(telling.text().replace(right, wrong, 1))

    assert any(told in f"{each.message} {each.help}" and each.line > 1 for each in caught.value.mistakes)


async def test_a_channel_whose_secret_others_may_read_stops_the_start(telling: Telling) -> None:
    """Whoever reads it signs in our name; it is held to the same as our keys."""
    (telling.folder / "pager.key").chmod(0o644)

    with pytest.raises(ChannelUnusable, match="chmod 600"):
        telling.open()


@pytest.mark.parametrize("content", ["", "whsec_", "whsec_!", "whsec_c2hvcnQ=", None])
async def test_a_channel_without_its_secret_stops_the_start(telling: Telling, content: str | None) -> None:
    """A key file that is missing, empty or no key is told before anything is served."""
    key = telling.folder / "pager.key"
    key.unlink()
    if content is not None:
        key.write_text(content)
        key.chmod(0o600)

    with pytest.raises(ChannelUnusable, match=r"pager\.key"):
        telling.open()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_speaks_for_chat_services(telling: Telling) -> None:
    """A file of apprise's URLs is a channel; one that it does not know is told by its line, without the URL."""
    pytest.importorskip("apprise", reason="install showcause[notify]")
    text = telling.text().replace(
        "  pager: {kind: webhook", "  chat: {kind: apprise, urls: chat.urls}\n  pager: {kind: webhook"
    )
    (telling.folder / "chat.urls").write_text("# the desk\nntfy://ntfy.example.gov/desk\n")
    (telling.folder / "chat.urls").chmod(0o600)
    assert "chat" in telling.open(text).channels

    (telling.folder / "chat.urls").write_text("ntfy://ntfy.example.gov/desk\nnonsense://token@host\n")
    with pytest.raises(ChannelUnusable, match=r"chat\.urls:2") as caught:
        telling.open(text)
    assert "token" not in str(caught.value)


moments = st.integers(0, 10_000).map(lambda seconds: START + timedelta(seconds=seconds))


@given(moments, moments, st.lists(st.integers(0, 5000), min_size=1, max_size=4, unique=True).map(sorted))
def test_a_step_begins_at_its_time_and_not_before(since: datetime, now: datetime, afters: list[int]) -> None:
    """Whatever the chain, each step whose time has come is told, and no other."""
    chain = [Step(after=timedelta(seconds=after), channels=("a", "b")) for after in afters]
    waiting = Waiting(kind=Kind.NOTICE, id="n", agency="MO0950000", roles=frozenset({"supervisor"}), since=since)
    told = list(wanted([waiting], {"supervisor": chain}, now))

    begun = [number for number, after in enumerate(afters) if now >= since + timedelta(seconds=after)]
    assert [each.step for each in told] == [number for number in begun for _ in "ab"]
    assert len({each.id for each in told}) == len(told)


@given(st.integers(1, 10_000))
def test_no_wait_is_longer_than_five_minutes(attempts: int) -> None:
    """However often it failed, it is tried again within five minutes."""
    assert START < retry_at(attempts, START) <= START + LAST_RETRY
