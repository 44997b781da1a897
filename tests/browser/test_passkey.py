from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.demo import docket
from proxy.identity.evidence import prove

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.audit.entry import Entry
    from proxy.demo.home import Home
    from proxy.demo.town import Town
    from proxy.identity.evidence import Proven
    from tests.browser.conftest import Authenticator, Office, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

APPROVE = """
async ([href, key, passkeyed]) => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  const send = (more) => fetch(`${href}/approve`, {
    method: "POST",
    headers: { "Authorization": `Bearer ${key}`, "Content-Type": "application/json", ...more },
    body: JSON.stringify({ reason: "the threat is on file" }),
  });
  const asked = await send({});
  const problem = await asked.json();
  if (!passkeyed) return problem;
  const { challenge } = problem;
  const publicKey = {
    ...challenge,
    challenge: bytes(challenge.challenge),
    allowCredentials: challenge.allowCredentials.map((each) => ({ ...each, id: bytes(each.id) })),
  };
  const credential = await navigator.credentials.get({ publicKey });
  const assertion = btoa(JSON.stringify(credential.toJSON())).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const first = await send({ "Step-Up": assertion });
  const again = await send({ "Step-Up": assertion });
  return [asked.status, asked.headers.get("WWW-Authenticate"), await first.json(), again.status];
}
"""


async def registered(office: Office, who: str = "supervisor") -> tuple[Person, Authenticator]:
    """Have somebody sign in and register a first passkey, as they would."""
    code = await office.invite(who)
    person = await office.person(who)
    await person.sign_in()
    authenticator = await person.authenticator()
    await person.page.goto(f"{office.url}/passkeys")
    await person.page.fill("input[name=code]", code)
    await person.page.click("text=Go on")
    await person.page.click("text=Make the passkey")
    await person.page.wait_for_selector("text=Your passkey is registered")
    return person, authenticator


async def test_an_approval_is_confirmed_in_a_browser_and_proven_from_the_log(office: Office, world: tuple[Home, Town]) -> None:
    """Code, sign-in, registration, challenge, touch, approval; once; and two entries of the log prove it."""
    supervisor, authenticator = await registered(office)
    assert len(await authenticator.credentials()) == 1
    escalation = await office.desk.ask()
    href = f"{office.url}/escalations/{escalation}"

    status, authenticate, approved, again = await supervisor.page.evaluate(APPROVE, [href, supervisor.key, True])

    assert (status, approved["state"], again) == (401, "approved", 409)
    assert 'error="insufficient_user_authentication"' in authenticate
    keys = world[0].keys
    sealer = Sealer.load(index=keys / "index.key", body=keys / "body.key")
    log = office.desk.house.servers.audit.log
    entries = list(AuditReader(log.directory, sealer).entries(0, log.head.size))
    move = next(each for each in entries if each.kind == "escalation-move")
    registration = next(each for each in entries if each.kind == "passkey-registered")
    evidence: Any = move.unseal(sealer)["step_up"]
    key = bytes.fromhex(str(registration.unseal(sealer)["public_key"]))
    proven = prove(evidence, str(registration.facts["credential"]), key)
    assert (proven.thing.move, proven.thing.about, proven.origin) == ("approve", escalation, office.url)
    assert "the threat is on file" in proven.thing.content
    reading = ("--decrypt", "--case", docket.STOP, "--statement", "complaint of the mayor, her address was posted")
    shown = await office.command("audit", "show", str(move.index), *reading, "--json")
    assert shown["confirmed"]["holds"] is True
    assert (shown["confirmed"]["about"], shown["confirmed"]["registered"]) == (escalation, registration.index)
    assert move.facts["assurance"] == {"method": "webauthn", "credential": proven.passkey, "user_verified": True}


async def test_whoever_has_no_passkey_approves_nothing(office: Office) -> None:
    """A good key is not enough; the problem says how to get a passkey."""
    supervisor = await office.person("supervisor")
    await supervisor.sign_in()
    href = f"{office.url}/escalations/{await office.desk.ask()}"

    problem = await supervisor.page.evaluate(APPROVE, [href, supervisor.key, False])

    assert problem["type"] == "/problems/passkey-missing"


async def test_a_form_is_confirmed_on_a_page_of_its_own(office: Office) -> None:
    """Not known by the finger: nothing is done, and the page says so. Known: it is done, once, with what was written."""
    supervisor, authenticator = await registered(office)
    page = supervisor.page
    await page.click("text=Revoke it")
    await page.fill("input[name=reason]", "it is to be replaced")
    await page.click("button:has-text('Revoke pk-')")
    await authenticator.verify(verified=False)
    await page.click("text=Confirm with your passkey >> visible=true >> nth=-1")
    await page.wait_for_selector("[role=alert]:has-text('Nothing was done')")
    assert "passkey-revoked" not in office.desk.kinds()

    await authenticator.verify(verified=True)
    await page.click("button:has-text('Confirm with your passkey')")
    await page.wait_for_selector("text=The passkey is revoked")

    assert office.desk.kinds().count("passkey-revoked") == 1
    assert await page.locator("input[name=code]").count() == 1


async def test_a_page_without_scripts_says_why_it_cannot_go_on(office: Office) -> None:
    """Nothing is done, and nothing looks done."""
    code = await office.invite("supervisor")
    context = await office.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{office.url}/sign-in?next=/passkeys")
    await page.fill("input[name=key]", office.desk.keys["supervisor"])
    await page.click("main button")
    await page.fill("input[name=code]", code)
    await page.click("text=Go on")

    assert await page.locator("noscript").inner_text()
    await page.click("text=Make the passkey")

    assert "Your passkey did not confirm this" in await page.inner_text("main")
    assert "passkey-registered" not in office.desk.kinds()


async def test_a_supervisor_approves_on_the_page_with_a_touch(office: Office) -> None:
    """Looked at, said why, checked, confirmed with the passkey: approved, once the touch is there and not before."""
    supervisor, _ = await registered(office)
    page = supervisor.page
    escalation = await office.desk.ask()
    await page.goto(f"{office.url}/escalations/{escalation}")
    await page.fill("textarea[name=reason]", "the threat is on file")
    await page.click("button[name=move][value=approve]")
    await page.wait_for_selector("h1:has-text('Approve this?')")
    assert "escalation-move" not in office.desk.kinds()

    await page.click("button:has-text('Approve now')")
    await page.wait_for_selector("text=Approved.")

    assert office.desk.kinds().count("escalation-move") == 1


CONFIRM = """
async (challenge) => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  const publicKey = {
    ...challenge,
    challenge: bytes(challenge.challenge),
    allowCredentials: challenge.allowCredentials.map((each) => ({ ...each, id: bytes(each.id) })),
  };
  const credential = await navigator.credentials.get({ publicKey });
  return btoa(JSON.stringify(credential.toJSON())).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
"""


async def test_a_lock_is_lifted_on_the_page_with_a_touch_and_proven_from_the_log(
    office: Office, world: tuple[Home, Town]
) -> None:
    """Without the touch the lock holds on; with it, it is lifted, and the entry proves who confirmed that very lifting."""
    lieutenant, authenticator = await registered(office, "lieutenant")
    lock = await office.desk.stop("supervisor", "case", "26-004251", "the case number was passed round")
    page = lieutenant.page
    await page.goto(f"{office.url}/locks/{lock['id']}")
    await page.fill("textarea[name=reason]", "the number was changed")
    await authenticator.verify(verified=False)
    await page.click("button:has-text('Lift the lock')")
    await page.click("button:has-text('Confirm with your passkey')")
    await page.wait_for_selector("[role=alert]:has-text('Nothing was done')")
    assert "lock-ended" not in office.desk.kinds()

    await authenticator.verify(verified=True)
    await page.click("button:has-text('Confirm with your passkey')")
    await page.wait_for_selector("text=Lifted.")

    move, proven = await _proof(office, world, "lock-ended")
    assert (proven.thing.move, proven.thing.about, proven.origin) == ("unlock", lock["id"], office.url)
    assert "the number was changed" in proven.thing.content
    assert move["credential"] == proven.passkey


async def test_a_touch_for_one_lock_lifts_no_other_and_none_twice(office: Office) -> None:
    """What was signed names the lock and the reason: sent for another lock, for another reason, or again, it lifts nothing."""
    lieutenant, _ = await registered(office, "lieutenant")
    first = await office.desk.stop("supervisor", "case", "26-004251", "the case number was passed round")
    second = await office.desk.stop("supervisor", "terminal", "car-99", "the car was broken into")
    why = {"reason": "the number was changed"}

    async def lift(lock: str, assertion: str = "", body: dict[str, str] = why) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {lieutenant.key}"} | ({"Step-Up": assertion} if assertion else {})
        url = f"{office.desk.house.door.url}/locks/{lock}/lift"
        async with office.desk.client.post(url, headers=headers, json=body) as answer:
            return answer.status, await answer.json()

    status, problem = await lift(first["id"])
    assert (status, problem["type"], problem["console"]) == (401, "/problems/step-up-required", office.url)
    assertion = await lieutenant.page.evaluate(CONFIRM, problem["challenge"])

    assert (await lift(second["id"], assertion))[1]["type"] == "/problems/step-up-failed"
    assert (await lift(first["id"], assertion, {"reason": "because I say so"}))[1]["type"] == "/problems/step-up-failed"
    assert "lock-ended" not in office.desk.kinds()
    assert (await lift(first["id"], assertion))[1]["state"] == "ended"
    assert (await lift(first["id"], assertion))[0] == 409
    assert (await lift(second["id"], assertion))[1]["type"] == "/problems/step-up-failed"


async def test_an_emergency_is_answered_with_a_touch_for_that_very_query(office: Office, world: tuple[Home, Town]) -> None:
    """Without the touch nothing leaves; a touch for one person's record opens no other's; with it, it is answered, once."""
    officer, _ = await registered(office, "officer")
    house = office.desk.house
    said = 'code=C, case="26-004251", statement="shots fired at the mayor, caller hides", exigent="man with a rifle inside"'

    async def ask(person: str, assertion: str = "") -> tuple[int, dict[str, Any], Any]:
        headers = {"Authorization": f"Bearer {officer.key}", "Query-Purpose": said}
        headers |= {"Step-Up": assertion} if assertion else {}
        async with office.desk.client.get(f"{house.door.url}/records/persons/{person}", headers=headers) as answer:
            return answer.status, dict(answer.headers), await answer.json()

    before = len(house.records.journal)
    status, _, problem = await ask(house.mayor)
    assert (status, problem["type"]) == (401, "/problems/step-up-required")
    assertion = await officer.page.evaluate(CONFIRM, problem["challenge"])
    other = next(each.person_id for name, each in world[1].cast.items() if name == "judge")
    assert (await ask(other, assertion))[2]["type"] == "/problems/step-up-failed"
    assert len(house.records.journal) == before

    status, headers, _ = await ask(house.mayor, assertion)
    assert status == 200
    assert "Break-Glass" in headers
    move, proven = await _proof(office, world, "decided", lambda each: each.facts.get("break_glass"))
    assert (proven.thing.move, proven.thing.about) == ("break-glass", "26-004251")
    assert "man with a rifle" in proven.thing.content
    assert (move["credential"], move["user_verified"]) == (proven.passkey, True)
    assert (await ask(house.mayor, assertion))[0] == 403


async def _proof(
    office: Office, world: tuple[Home, Town], kind: str, fits: Callable[[Entry], object] = lambda _each: True
) -> tuple[dict[str, Any], Proven]:
    """Return what an entry says of a confirmation, and what its evidence proves with the key of the passkey's own entry."""
    keys = world[0].keys
    sealer = Sealer.load(index=keys / "index.key", body=keys / "body.key")
    log = office.desk.house.servers.audit.log
    entries = list(AuditReader(log.directory, sealer).entries(0, log.head.size))
    move = next(each for each in entries if each.kind == kind and fits(each))
    registration = next(each for each in entries if each.kind == "passkey-registered")
    sealed = move.unseal(sealer)
    evidence: Any = sealed.get("step_up") or sealed["assurance"]
    key = bytes.fromhex(str(registration.unseal(sealer)["public_key"]))
    said: Any = move.facts.get("step_up") or move.facts["assurance"]
    return said, prove(evidence, str(registration.facts["credential"]), key)
