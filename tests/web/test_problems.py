from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

import proxy
from proxy.purpose.purpose import PurposeMissing
from proxy.refusal import Refusal
from proxy.web import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

# The slugs of the contract: rename nothing lightly.
CONTRACT = {
    "credential-missing": 401,
    "credential-invalid": 401,
    "purpose-missing": 400,
    "case-missing": 400,
    "purpose-malformed": 400,
    "purpose-unknown": 400,
    "statement-uninformative": 422,
    "case-unknown": 422,
    "case-closed": 422,
    "case-kind-mismatch": 422,
    "standing-missing": 403,
    "route-unknown": 404,
    "request-not-canonical": 400,
    "parameter-unknown": 400,
    "parameter-duplicate": 400,
    "body-unreadable": 400,
    "too-broad": 403,
    "policy-denied": 403,
    "escalation-required": 403,
    "escalation-refused": 403,
    "grant-spent": 403,
    "grant-mismatch": 403,
    "budget-spent": 429,
    "reply-unreadable": 502,
    "upstream-failed": 502,
    "audit-unavailable": 503,
    "case-directory-unavailable": 503,
    "upstream-unavailable": 503,
    "overloaded": 503,
    "not-ready": 503,
    "upstream-timeout": 504,
}


def load_every_room() -> None:
    """Import every module, so that every class of refusal exists."""
    for module in pkgutil.walk_packages(proxy.__path__, "proxy."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def refusals() -> Iterator[type[Refusal]]:
    """Yield every class of refusal that is loaded."""
    waiting = list(Refusal.__subclasses__())
    while waiting:
        found = waiting.pop()
        waiting.extend(found.__subclasses__())
        yield found


def test_every_refusal_is_explained_and_nothing_else_is() -> None:
    """The table and the classes of refusal are the same set."""
    load_every_room()

    assert {refusal.slug() for refusal in refusals()} == set(problems.PROBLEMS)


@pytest.mark.parametrize(("slug", "status"), CONTRACT.items())
def test_a_problem_type_keeps_its_status(slug: str, status: int) -> None:
    """What terminals are built against does not move."""
    assert problems.PROBLEMS[slug].status == status


@pytest.mark.parametrize("slug", problems.PROBLEMS)
def test_every_problem_type_has_a_page(slug: str) -> None:
    """The page behind a type says what it means and what to do."""
    page = problems.page(slug)

    assert page is not None
    assert problems.PROBLEMS[slug].title.encode() in page


def test_a_page_repeats_nothing_it_was_asked() -> None:
    """There is no page for a made-up type, so nothing can be reflected."""
    assert problems.page("<script>") is None


def test_a_refusal_is_problem_json() -> None:
    """Status, type, title, detail, instance and the extension members stand in the body."""
    status, headers, body = problems.render(PurposeMissing("Say why.", position=3), instance="log.test/7")

    assert status == 400
    assert headers["Content-Type"] == "application/problem+json"
    assert orjson.loads(body) == {
        "type": "/problems/purpose-missing",
        "title": "No purpose",
        "status": 400,
        "detail": "Say why.",
        "instance": "log.test/7",
        "position": 3,
    }


@pytest.mark.parametrize("slug", problems.PROBLEMS)
def test_the_readme_tells_what_to_do_about_every_problem(slug: str) -> None:
    """The table in the README is this table, each row once."""
    problem = problems.PROBLEMS[slug]
    readme = Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")

    assert readme.count(f"| {problem.status} | `{slug}` | {problem.title}. {problem.advice} |\n") == 1
