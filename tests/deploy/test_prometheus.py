from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from proxy.policy.decision import Outcome
from proxy.telemetry import Metrics
from proxy.web.problems import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.deploy.conftest import Run

RATE_INTERVAL = "1m"


def _rules(deploy: Path) -> list[dict[str, Any]]:
    groups = YAML(typ="safe", pure=True).load(deploy / "prometheus/alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _panels(deploy: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((deploy / "grafana/showcause.json").read_text("utf-8"))["panels"]
    return found


def _panel_expressions(deploy: Path) -> Iterator[tuple[str, str]]:
    for panel in _panels(deploy):
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
            yield panel["title"], expression.replace("$job", "showcause").replace("$instance", ".*")


def _every_expression(deploy: Path) -> list[str]:
    return [rule["expr"] for rule in _rules(deploy)] + [expression for _, expression in _panel_expressions(deploy)]


@pytest.fixture(scope="module")
def series() -> set[str]:
    """Every name that a scrape can show."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",), "info": ("_info",)}
    families = list(Metrics().registry.collect())
    return {family.name + suffix for family in families for suffix in suffixes.get(family.type, ("",))}


def test_prometheus_accepts_its_configuration(deploy: Path, tool: Run) -> None:
    """The scrape configuration, and the rules it names."""
    done = tool("promtool", "check", "config", "prometheus.yml", cwd=deploy / "prometheus")

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_rings_when_it_should_and_not_otherwise(deploy: Path, tool: Run) -> None:
    """The series of alerts_test.yml are played by promtool."""
    done = tool("promtool", "test", "rules", "alerts_test.yml", cwd=deploy / "prometheus")

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_without_a_test_that_rings_it_and_one_that_does_not(deploy: Path) -> None:
    """An alert that was never seen to ring is a hope."""
    tests = YAML(typ="safe", pure=True).load(deploy / "prometheus/alerts_test.yml")["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    ringing = {check["alertname"] for check in checks if check["exp_alerts"]}
    quiet = {check["alertname"] for check in checks if not check["exp_alerts"]}

    names = {rule["alert"] for rule in _rules(deploy)}
    assert ringing == names
    assert quiet == names


def test_each_alert_has_its_section_in_the_runbook_and_the_reverse(deploy: Path) -> None:
    """Whoever is called finds what it means and what to do, under the alert's own name."""
    sections = re.findall(r"^## (Showcause\w+)$", (deploy / "runbook.md").read_text("utf-8"), re.MULTILINE)

    assert sorted(sections) == sorted(rule["alert"] for rule in _rules(deploy))
    for rule in _rules(deploy):
        assert rule["annotations"]["runbook"] == f"deploy/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_runbook_links_to_sections_that_are_there(deploy: Path) -> None:
    """At two in the morning a dead link is a minute."""
    text = (deploy / "runbook.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= anchors


def test_every_expression_asks_for_a_metric_that_exists(deploy: Path, series: set[str]) -> None:
    """A renamed metric breaks a test, not an alert that stays silent for ever."""
    wanted = {name for expression in _every_expression(deploy) for name in re.findall(r"\bshowcause_\w+", expression)}

    assert wanted
    assert wanted <= series


def test_every_label_value_in_an_expression_is_of_its_closed_list(deploy: Path) -> None:
    """Problem types and outcomes that nobody counts would make an alert deaf."""
    expressions = " ".join(_every_expression(deploy))
    problems = {slug for group in re.findall(r'problem=~?"([^"]+)"', expressions) for slug in group.split("|")}
    outcomes = set(re.findall(r'decisions_total\{[^}]*outcome="([^"]+)"', expressions))

    assert problems
    assert problems <= set(PROBLEMS)
    assert outcomes
    assert outcomes <= {str(outcome) for outcome in Outcome}


def test_prometheus_accepts_every_expression_of_the_dashboard(deploy: Path, tool: Run, tmp_path: Path) -> None:
    """Each panel's query, written as a recording rule."""
    expressions = [expression for _, expression in _panel_expressions(deploy)]
    recorded = [{"record": f"panel:number_{number}", "expr": expression} for number, expression in enumerate(expressions)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}), "utf-8")

    done = tool("promtool", "check", "rules", file)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(expressions)} rules found" in done.stdout
    assert len(expressions) > 25


def test_the_dashboard_has_sound_panels(deploy: Path) -> None:
    """Unique ids, no two panels in one place, a title and a description on each, and one data source."""
    found = _panels(deploy)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in found]

    assert len({panel["id"] for panel in found}) == len(found)
    assert len(set(places)) == len(places)
    for panel in found:
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"


def test_no_panel_and_no_alert_can_show_a_person(deploy: Path) -> None:
    """They group and print by labels of closed lists only."""
    allowed = {
        "job", "instance", "le", "outcome", "action", "purpose", "problem", "stage", "type", "version", "category_group",
        "kind", "reason", "budget", "from", "to", "part",
    }  # fmt: skip
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", " ".join(_every_expression(deploy)))

    assert {label.strip() for labels in grouped for label in labels.split(",")} <= allowed
