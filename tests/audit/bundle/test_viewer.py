"""The viewer, in Chromium, opened from ``file://`` as a prosecutor opens it: no server, no network."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
import pytest_asyncio

from proxy.audit.bundle.page import viewer
from proxy.audit.continuity import Unwitnessed
from proxy.audit.event import Event
from proxy.audit.service import AuditTrail
from proxy.tlog.log import Log
from tests.audit.bundle.conftest import HOSTILE, World
from tests.audit.bundle.forgeries import FORGERIES, relist
from tests.browser.conftest import launched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from playwright.async_api import Browser, Page

    from proxy.audit.event import Json

AXE = Path(__file__).parents[2] / "browser" / "vendor" / "axe.min.js"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Return a browser."""
    async with launched() as browser:
        yield browser


@dataclass(frozen=True, slots=True, kw_only=True)
class Posing(Event):
    """An event whose facts have the names of an entry's own parts."""

    kind: ClassVar[str] = "posing"

    def facts(self) -> Mapping[str, Json]:
        """Return them."""
        return {"kind": "disclosed", "query": "another"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """An answer of one record."""

    kind: ClassVar[str] = "disclosed"

    def facts(self) -> Mapping[str, Json]:
        """Return how many."""
        return {"records": 1}


@pytest.fixture
def posing(filled: World, tmp_path: Path) -> Path:
    """Return a bundle of one such entry."""
    world = World(tmp_path / "home", filled.signer, filled.sealer)

    async def write() -> None:
        async with Log(world.directory, signer=world.signer, clock=world.clock) as log:
            await AuditTrail(log, world.sealer, world.clock).record(Posing(about="q1"))

    asyncio.run(write())
    world.export(tmp_path / "posing", by="entries", numbers=[0])
    return tmp_path / "posing"


@pytest.fixture
def unreleased(filled: World, tmp_path: Path) -> Path:
    """Return a bundle of an answer that never left, and of the entry that says so."""
    world = World(tmp_path / "held", filled.signer, filled.sealer)

    async def write() -> None:
        async with Log(world.directory, signer=world.signer, clock=world.clock) as log:
            trail = AuditTrail(log, world.sealer, world.clock)
            ended = await trail.record(Ended(about="q1"))
            await trail.record(Unwitnessed(about="q1", entry=ended.index, released=False))

    asyncio.run(write())
    world.export(tmp_path / "unreleased", by="entries", numbers=[0, 1])
    return tmp_path / "unreleased"


async def opened(chromium: Browser, bundle: Path, *, scheme: str = "light", width: int = 1000) -> Page:
    """Return the bundle's own viewer."""
    context = await chromium.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}, offline=True
    )
    context.set_default_timeout(60_000)
    page = await context.new_page()
    await page.goto((bundle / "data/viewer.html").as_uri())
    return page


async def checked(page: Page, bundle: Path, vkey: str, witnesses: str = "", manifest: str = "") -> str:
    """Pick the folder, type the key, press the button; return what the result says."""
    await page.set_input_files("#folder", bundle)
    await page.fill("#key", vkey)
    await page.fill("#witnesses", witnesses)
    await page.fill("#manifest", manifest)
    await page.click("button")
    await page.locator("#status", has_text=re.compile("^(Checked|Nothing)")).wait_for()
    return await page.inner_text("#result")


async def test_a_good_bundle_holds_and_is_shown_in_plain_words(chromium: Browser, filled: World, bundle: Path) -> None:
    """The verdict, every check that was made, the entries in words, with the opened parts."""
    page = await opened(chromium, bundle)
    result = await checked(page, bundle, filled.signer.verifier.vkey)
    assert "Everything holds." in result
    assert "state of 24 entries" in result
    assert "Each of the 6 entries is in the log" in result
    assert "none of the 18 answers" in result
    assert "3 sealed parts were opened" in result
    assert "badge-1 asked (person.read); the decision was “permit”." in result
    assert "26-CR-0042" in result
    assert await page.locator("article").count() == 6
    await page.context.close()


async def test_an_answer_of_nothing_is_about_somebody_with_the_manifests_hash_alone(
    chromium: Browser, filled: World, tmp_path: Path
) -> None:
    """Nothing that is opened names them; the bundle as it was exported does. Another hash is a finding."""
    written = filled.export(tmp_path / "nothing", value="badge-9")
    page = await opened(chromium, tmp_path / "nothing")
    vkey = filled.signer.verifier.vkey
    assert "nothing shows that the marks are those of officer badge-9" in await checked(page, tmp_path / "nothing", vkey)
    result = await checked(page, tmp_path / "nothing", vkey, manifest=written.manifest)
    assert "Everything holds." in result
    assert "rests on the office that exported this folder" in result
    result = await checked(page, tmp_path / "nothing", vkey, manifest="0" * 64)
    assert "manifest-sha256.txt is not the one that was exported" in result
    await page.context.close()


async def test_what_an_officer_typed_stays_text(chromium: Browser, filled: World, bundle: Path) -> None:
    """Markup in a statement is shown as it was typed, and no script of it runs."""
    page = await opened(chromium, bundle)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    result = await checked(page, bundle, filled.signer.verifier.vkey)
    assert HOSTILE.removesuffix("\u202e") in result
    assert dialogs == []
    assert await page.locator("#result img, #result script").count() == 0
    await page.context.close()


async def test_facts_do_not_pass_for_what_an_entry_is(chromium: Browser, filled: World, posing: Path) -> None:
    """An entry whose facts call it something else is shown as what it is, and with them."""
    page = await opened(chromium, posing)
    assert "Everything holds." in await checked(page, posing, filled.signer.verifier.vkey)
    [own, facts] = await page.locator("details dl").all_text_contents()
    assert (own, facts) == ("kindposingqueryq1", "kinddisclosedqueryanother")
    await page.context.close()


async def test_an_answer_that_never_left_is_not_said_to_have_left(chromium: Browser, filled: World, unreleased: Path) -> None:
    """The entry that corrects it speaks for it, on its card and on its own."""
    page = await opened(chromium, unreleased)
    result = await checked(page, unreleased, filled.signer.verifier.vkey)
    assert "Everything holds." in result
    assert "An answer left" not in result
    assert "never left: no witness had signed for it, as entry 1 says" in result
    assert "The answer of entry 0 never left" in result
    assert "released = false" in (unreleased / "README.txt").read_text()
    await page.context.close()


async def test_nothing_is_loaded_from_anywhere(chromium: Browser, filled: World, bundle: Path) -> None:
    """The only request is for the page itself, and its policy allows no other."""
    context = await chromium.new_context()
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.goto((bundle / "data/viewer.html").as_uri())
    await checked(page, bundle, filled.signer.verifier.vkey)
    assert asked == [(bundle / "data/viewer.html").as_uri()]
    assert errors == []
    refused = "fetch('https://example.org/').then(() => 'sent', () => 'refused')"
    assert await page.evaluate(refused) == "refused"
    await context.close()


async def test_the_policy_names_the_very_script_that_is_there(bundle: Path) -> None:
    """No `unsafe-inline`, no source; the same viewer in every bundle."""
    page = (bundle / "data/viewer.html").read_bytes()
    assert page == viewer()
    text = page.decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]
    assert policy[1].startswith("default-src 'none'")
    assert text.count("<script") == 1
    assert sha256(page).hexdigest() in (bundle / "manifest-sha256.txt").read_text()


FLIPPED = [
    "README.txt", "bagit.txt", "data/checkpoint", "data/question.json", "data/range/proof", "data/range/000000000001.entries",
    "data/entries/000000000010.json", "data/proofs/000000000010.tlog-proof", "data/bodies/000000000010.body",
    "data/keys/000000000010.key", "data/earlier/8.proof", "data/policies/policy.csv", "data/viewer.html",
]  # fmt: skip


async def test_a_flipped_byte_is_shown_by_name(chromium: Browser, filled: World, exported: Path, bundle: Path) -> None:
    """One byte in the middle of any file."""
    page = await opened(chromium, exported)
    for name in FLIPPED:
        content = (bundle / name).read_bytes()
        middle = len(content) // 2
        (bundle / name).write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        result = await checked(page, bundle, filled.signer.verifier.vkey)
        assert "Everything holds." not in result
        assert f"{name} is altered" in result
        (bundle / name).write_bytes(content)
    await page.context.close()


async def test_forgeries_that_the_manifests_agree_with_are_shown_by_name(
    chromium: Browser, filled: World, exported: Path, tmp_path: Path
) -> None:
    """The table of the command line's test, all of it: the browser comes to the same findings."""
    page = await opened(chromium, exported)
    for name, (work, path) in FORGERIES.items():
        bundle = Path(shutil.copytree(exported, tmp_path / name))
        work(bundle)
        relist(bundle)
        result = await checked(page, bundle, filled.signer.verifier.vkey)
        assert "Everything holds." not in result, name
        index = re.search(r"data/entries/(\d+)\.", path)
        said = result.partition("What this is")[0]
        assert path in said or (index is not None and f"entry {int(index[1])} " in said), (name, said)
    await page.context.close()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("nonsense", "a verifier key reads name+id+key"),
        ("log.example/node-1+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "copied wrong"),
        ("<img src=x>+00000000+AQ==", "a verifier key reads"),
    ],
)
async def test_a_key_that_is_none_checks_nothing(chromium: Browser, bundle: Path, key: str, said: str) -> None:
    """And says why."""
    page = await opened(chromium, bundle)
    result = await checked(page, bundle, key)
    assert "Nothing was checked" in result
    assert said in result
    await page.context.close()


async def test_a_strangers_key_and_a_witness_that_has_not_signed_are_findings(
    chromium: Browser, filled: World, bundle: Path
) -> None:
    """The key decides, not the folder."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    from proxy.tlog.note import Signer  # noqa: PLC0415

    stranger = Signer("log.example/node-1", Ed25519PrivateKey.from_private_bytes(b"s" * 32)).verifier.vkey
    page = await opened(chromium, bundle)
    assert "data/checkpoint: it is not signed by" in await checked(page, bundle, stranger)
    result = await checked(page, bundle, filled.signer.verifier.vkey, witnesses=stranger)
    assert "data/checkpoint: it is not signed by" in result
    await page.context.close()


async def test_of_a_log_whose_key_was_changed_both_keys_are_taken(chromium: Browser, filled: World, bundle: Path) -> None:
    """A checkpoint from before the change is signed by the old one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    from proxy.tlog.note import Signer  # noqa: PLC0415

    kept, old = bundle / "data/earlier/8.checkpoint", Signer("log.example/node-1", Ed25519PrivateKey.generate())
    kept.write_text(old.checkpoint(8, filled.signer.verifier.checkpoint(kept.read_text()).root).text)
    relist(bundle)
    page, new = await opened(chromium, bundle), filled.signer.verifier.vkey
    assert "data/earlier/8.checkpoint: it is not signed by" in await checked(page, bundle, new)
    assert "Everything holds." in await checked(page, bundle, f"{old.verifier.vkey} {new}")
    await page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
async def test_everybody_can_read_it(chromium: Browser, filled: World, bundle: Path, scheme: str, width: int) -> None:
    """Axe finds nothing, before and after, light and dark; on a phone nothing is wider than the screen."""
    page = await opened(chromium, bundle, scheme=scheme, width=width)
    context = page.context
    await page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    for _ in range(2):
        found = await page.evaluate("axe.run().then((report) => report.violations.map((each) => each.id))")
        assert found == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await checked(page, bundle, filled.signer.verifier.vkey)
    await context.close()


async def test_it_prints_the_result_and_the_entries_without_the_form(chromium: Browser, filled: World, bundle: Path) -> None:
    """Paper has no buttons, and everything that is folded up on the screen is open."""
    page = await opened(chromium, bundle)
    await checked(page, bundle, filled.signer.verifier.vkey)
    await page.emulate_media(media="print")
    assert not await page.is_visible("form")
    await page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert await page.locator("details:not([open])").count() == 0
    assert (await page.pdf()).startswith(b"%PDF")
    await page.context.close()
