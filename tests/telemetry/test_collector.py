from __future__ import annotations

import re
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from smsgw.telemetry import Exposition, Meters, RecordLog


@pytest.fixture
def meters() -> Meters:
    """Meters on which something has happened."""
    meters = Meters()
    account = meters.account("acme1")
    account.accepted, account.accepted_parts = 7, 9
    account.refuse("no_route")
    account.receipts_delivered = 5
    link = meters.link("alpha-1")
    link.sent = 6
    link.refused[0x58] += 2
    link.refused[0x455] += 1
    link.receipts[2] += 4
    link.receipts[44] += 1
    link.codes["perm_number"] += 3
    link.receipts[45] += 1
    link.latency.observe(0.004)
    link.latency.observe(99.0)
    meters.process.ended(10)
    meters.process.binds_refused["wrong_password"] += 1
    meters.submit_response.observe(0.002)
    meters.gauge("smsgw_open_messages", "Open messages.", lambda: 3)
    meters.gauge("smsgw_binds", "Bound sessions.", lambda: {("acme1", "trx"): 2}, ("account", "mode"))
    meters.counter("smsgw_commit_replays", "Replayed cycles.", lambda: 1)
    return meters


def samples(text: bytes) -> dict[str, float]:
    """name{labels} → value."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_counts_are_exported(meters: Meters):
    """What the hot path counted is what a scrape says, with statuses and states by name."""
    text, content_type = Exposition(meters).render()
    found = samples(text)
    assert content_type.startswith("text/plain")
    expected = {
        "smsgw_submits_total{account=acme1,result=accepted}": 7,
        "smsgw_submits_total{account=acme1,result=no_route}": 1,
        "smsgw_submit_parts_total{account=acme1}": 9,
        "smsgw_receipt_relay_total{account=acme1,result=delivered}": 5,
        "smsgw_link_submits_total{link=alpha-1,status=ESME_ROK}": 6,
        "smsgw_link_submits_total{link=alpha-1,status=ESME_RTHROTTLED}": 2,
        "smsgw_link_submits_total{link=alpha-1,status=0x00000455}": 1,
        "smsgw_receipts_received_total{link=alpha-1,state=DELIVERED}": 4,
        "smsgw_receipts_received_total{link=alpha-1,state=other}": 2,
        "smsgw_receipt_failures_total{class=perm_number,link=alpha-1}": 3,
        "smsgw_messages_final_total{state=DELIVERED}": 1,
        "smsgw_binds_refused_total{reason=wrong_password}": 1,
        "smsgw_open_messages": 3,
        "smsgw_binds{account=acme1,mode=trx}": 2,
        "smsgw_commit_replays_total": 1,
    }
    assert {key: found.get(key) for key in expected} == expected


def test_histograms_are_cumulative(meters: Meters):
    """Buckets add up as Prometheus reads them; +Inf and _count are all observations, _sum their sum."""
    found = samples(Exposition(meters).render()[0])
    name = "smsgw_link_submit_latency_seconds"
    assert found[f"{name}_bucket{{le=0.0025,link=alpha-1}}"] == 0
    assert found[f"{name}_bucket{{le=0.005,link=alpha-1}}"] == 1
    assert found[f"{name}_bucket{{le=10.0,link=alpha-1}}"] == 1
    assert found[f"{name}_bucket{{le=+Inf,link=alpha-1}}"] == found[f"{name}_count{{link=alpha-1}}"] == 2
    assert found[f"{name}_sum{{link=alpha-1}}"] == pytest.approx(99.004)


def test_the_greatest_lag_is_that_since_the_last_scrape(meters: Meters):
    """Reading it starts the next span."""
    meters.lagged(0.3)
    exposition = Exposition(meters)
    first, second = (samples(exposition.render()[0])["smsgw_event_loop_lag_max_seconds"] for _ in range(2))
    assert (first, second) == (0.3, 0.0)


def test_gauges_are_read_where_they_are_asked_for(meters: Meters):
    """`render`, in a thread, uses the readings taken in the loop and calls no gauge itself."""
    called_in = []
    meters.gauge("smsgw_queue_messages", "Waiting.", lambda: called_in.append(threading.current_thread()) or 4)
    exposition = Exposition(meters)
    readings = exposition.read()
    rendered: list[bytes] = []
    thread = threading.Thread(target=lambda: rendered.append(exposition.render(readings)[0]))
    thread.start()
    thread.join()
    assert samples(rendered[0])["smsgw_queue_messages"] == 4
    assert called_in == [threading.current_thread()]


def test_record_lines_are_counted(meters: Meters):
    """A scrape says how many record lines were written and how many were lost."""
    records = RecordLog(sink=None, cap=0)
    records.append(None)  # type: ignore[arg-type]
    found = samples(Exposition(meters, records).render()[0])
    records.close()
    assert (found["smsgw_records_total"], found["smsgw_records_dropped_total"]) == (0, 1)


def test_names_follow_the_conventions(meters: Meters):
    """Our families have our prefix, a help text, base units, `_total` on counters alone, and one name each."""
    text = Exposition(meters).render()[0].decode()
    kinds = dict(re.findall(r"^# TYPE (smsgw_\w+) (\w+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (smsgw_\w+) (.+)$", text, re.MULTILINE))
    assert len(kinds) > 30
    assert kinds.keys() == helps.keys()
    for name, kind in kinds.items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|milliseconds|kb|minutes)(_|$)", name), name
    assert len(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)) == len(set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)))


def test_openmetrics_is_offered(meters: Meters):
    """A scraper that asks for OpenMetrics gets it, whole."""
    text, content_type = Exposition(meters).render(accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_a_scrape_stays_bounded():
    """With many more accounts than the cap, and peers that say many words, a scrape stays under a megabyte."""
    meters = Meters()
    for number in range(2_000):
        account = meters.account(f"account-{number}")
        for word in ("window", "no_route", "rate"):
            account.refuse(word)
        meters.process.session_closes[f"word {number}"] += 1
    text = Exposition(meters).render()[0]
    assert len(text) < 1_000_000
    assert b'account="other"' in text
    assert b"smsgw_metrics_folded_accounts 500.0" in text
