"""What is shipped for Prometheus and Grafana speaks of metrics that a gateway really exports."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from smsgw.telemetry.collector import Exposition
from smsgw.telemetry.meters import Meters
from smsgw.telemetry.records import RecordLog

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "config" / "prometheus"
RULES = PROMETHEUS / "rules.yml"
DASHBOARD = ROOT / "config" / "grafana" / "smsgw.json"
ADDED_BY_PROMETHEUS = {"instance", "job", "le"}


def registered() -> dict[str, set[str]]:
    """Gauges and counters that parts of the gateway register, by name as it is exported, with their labels."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "smsgw").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="gauge" | "counter" as kind) | ast.Name(id="gauge" | "counter" as kind),
                    args=[ast.Constant(value=str(name)), *rest],
                ):
                    labels = ast.literal_eval(rest[-1]) if isinstance(rest[-1], ast.Tuple) else ()
                    found[name if kind == "gauge" else f"{name}_total"] = set(labels)
                case _:
                    pass
    return found


def exported(tmp_path: Path) -> dict[str, set[str]]:
    """Every sample's name and labels: of a scrape on which everything has happened once, and what is registered."""
    meters = Meters()
    meters.account("acme1").refuse("no_route")
    link = meters.link("alpha-1")
    link.refused[0x58] += 1
    link.receipts[2] += 1
    link.codes["content"] += 1
    link.disconnects["lost"] += 1
    meters.process.ended(10)
    meters.process.binds_refused["wrong_password"] += 1
    meters.process.session_closes["unbound"] += 1
    records = RecordLog(str(tmp_path / "records"))
    text, _ = Exposition(meters, records).render()
    records.close()
    found = registered()
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> list[str]:
    """What the dashboard asks for, and the text of the rules."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [*asked, RULES.read_text(encoding="utf-8"), (PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8")]


def test_rules_and_dashboard_name_metrics_that_exist(tmp_path: Path):
    """Each metric in rules, their tests and dashboard is exported by a gateway."""
    known = exported(tmp_path)
    used = {name for text in expressions() for name in re.findall(r"\b(?:smsgw|process)_[a-z0-9_]+", text)}
    assert len(used) > 30
    assert sorted(used - set(known)) == []


def test_rules_and_dashboard_name_labels_that_exist(tmp_path: Path):
    """Each label that a selector asks for is one that the metric has."""
    known = exported(tmp_path)
    wrong = []
    for text in expressions():
        for name, selector in re.findall(r"\b((?:smsgw|process)_[a-z0-9_]+)\{([^}]*)\}", text):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector)))
            wrong += [f"{name}: {label}" for label in labels - known[name] - ADDED_BY_PROMETHEUS]
    assert wrong == []


def test_variables_of_the_dashboard_exist(tmp_path: Path):
    """The lists to choose from are asked of metrics and labels that exist, and every variable that is used is defined."""
    known = exported(tmp_path)
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    for variable in variables.values():
        if variable["type"] == "query":
            metric, label = re.findall(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])[0]
            assert label in known[metric] | ADDED_BY_PROMETHEUS
    used = {name for text in expressions() for name in re.findall(r"\$([a-z]+)\b", text)} - {"labels", "value"}
    assert used <= set(variables)


def test_panels_do_not_lie_on_each_other():
    """Every panel of the dashboard has its own id and its own place."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_alert_says_what_to_do():
    """Each alert has a severity, a summary and an action."""
    alerts = re.split(r"\n\s+- alert: ", RULES.read_text(encoding="utf-8"))[1:]
    assert len(alerts) > 15
    for alert in alerts:
        assert re.search(r"severity: (page|ticket)", alert), alert
        assert "summary:" in alert, alert
        assert "action:" in alert, alert


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_itself_agrees():
    """promtool takes the configuration and the rules' own tests pass."""
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
