"""The collector: turns the meters into Prometheus families at a scrape. `render` is meant to run off the loop.

Names follow the conventions of Prometheus: base units, `_total` on counters, labels whose values are bounded by configuration.
Status names come from aiosmpplib's table, looked up by number: an unknown one shows as its number.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from aiosmpplib import SmppCommandStatus
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from smsgw.telemetry.meters import Histogram, Meters

STATUS_NAMES: Final = {int(member): member.name for member in SmppCommandStatus}
STATES: Final = {
    1: "HELD", 2: "SCHEDULED", 3: "QUEUED", 4: "SUBMITTING", 5: "IN_DOUBT", 6: "SENT", 10: "DELIVERED", 11: "FAILED",
    12: "REFUSED", 13: "REJECTED", 14: "EXPIRED", 15: "CANCELLED", 16: "UNKNOWN",
}  # fmt: skip


def status_label(status: int) -> str:
    """Return the name of a status; its number in hex when nobody knows it."""
    return STATUS_NAMES.get(status) or f"0x{status:04x}"


class MeterCollector(Collector):
    """Reads the meters."""

    def __init__(self, meters: Meters) -> None:
        """Read these meters at every scrape."""
        self._meters = meters

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        info = GaugeMetricFamily("smsgw_build_info", "Version of smsgw and Python.", labels=["version", "python"])
        info.add_metric([version("smsgw"), platform.python_version()], 1)
        yield info
        yield from self._accounts()
        yield from self._links()
        yield from self._process()
        for name, (text, labels, read) in self._meters.gauges.items():
            yield _filled(GaugeMetricFamily(name, text, labels=labels), read())
        for name, (text, labels, read) in self._meters.counters.items():
            yield _filled(CounterMetricFamily(name, text, labels=labels), read())

    def _accounts(self) -> Iterator[Metric]:
        submits = CounterMetricFamily(
            "smsgw_submits", "submit_sm and data_sm by what became of them.", labels=["account", "result"]
        )
        parts = CounterMetricFamily("smsgw_submit_parts", "Parts of accepted messages.", labels=["account"])
        relay = CounterMetricFamily(
            "smsgw_receipt_relay", "Receipts and MO sent to tenants, by result.", labels=["account", "result"]
        )
        for meter in list(self._meters.accounts.values()):
            submits.add_metric([meter.name, "accepted"], meter.accepted)
            for reason, count in list(meter.refused.items()):
                submits.add_metric([meter.name, reason], count)
            parts.add_metric([meter.name], meter.accepted_parts)
            relay.add_metric([meter.name, "delivered"], meter.receipts_delivered)
            relay.add_metric([meter.name, "retried"], meter.receipts_retried)
            relay.add_metric([meter.name, "refused"], meter.receipts_refused)
        yield from (submits, parts, relay)

    def _links(self) -> Iterator[Metric]:
        submits = CounterMetricFamily("smsgw_link_submits", "Answers to submits by status.", labels=["link", "status"])
        throttled = CounterMetricFamily("smsgw_link_throttled", "Throttle answers.", labels=["link"])
        timeouts = CounterMetricFamily("smsgw_link_timeouts", "Submits that were not answered in time.", labels=["link"])
        receipts = CounterMetricFamily("smsgw_receipts_received", "Receipts by message_state.", labels=["link", "state"])
        mo = CounterMetricFamily("smsgw_mo", "MO messages received.", labels=["link"])
        connects = CounterMetricFamily("smsgw_link_connects", "Successful binds.", labels=["link"])
        losses = CounterMetricFamily("smsgw_link_disconnects", "Ended sessions by reason.", labels=["link", "reason"])
        latency = HistogramMetricFamily("smsgw_link_submit_latency_seconds", "From submit to its answer.", labels=["link"])
        for meter in list(self._meters.links.values()):
            submits.add_metric([meter.name, "ESME_ROK"], meter.sent)
            for status, count in list(meter.refused.items()):
                submits.add_metric([meter.name, status_label(status)], count)
            throttled.add_metric([meter.name], meter.throttled)
            timeouts.add_metric([meter.name], meter.timeouts)
            for state, count in list(meter.receipts.items()):
                receipts.add_metric([meter.name, str(state)], count)
            mo.add_metric([meter.name], meter.mo)
            connects.add_metric([meter.name], meter.connects)
            for reason, count in list(meter.disconnects.items()):
                losses.add_metric([meter.name, reason], count)
            _observed(latency, [meter.name], meter.latency)
        yield from (submits, throttled, timeouts, receipts, mo, connects, losses, latency)

    def _process(self) -> Iterator[Metric]:
        process = self._meters.process
        final = CounterMetricFamily("smsgw_messages_final", "Messages by final state.", labels=["state"])
        for state, count in list(process.final.items()):
            final.add_metric([STATES.get(state, str(state))], count)
        refused = CounterMetricFamily("smsgw_binds_refused", "Refused binds by reason.", labels=["reason"])
        for reason, count in list(process.binds_refused.items()):
            refused.add_metric([reason], count)
        closes = CounterMetricFamily("smsgw_session_closes", "Ended tenant sessions by reason.", labels=["reason"])
        for reason, count in list(process.session_closes.items()):
            closes.add_metric([reason], count)
        yield from (final, refused, closes)
        for name, text, value in (
            ("smsgw_receipts_duplicate", "Receipts for messages that were final already.", process.duplicate_receipts),
            ("smsgw_receipts_parked", "Receipts that matched nothing when they came.", process.parked_receipts),
            ("smsgw_receipts_parked_expired", "Parked receipts that never matched.", process.parked_expired),
            ("smsgw_receipts_expired", "Owed receipts whose time to live was over.", process.receipts_expired),
            ("smsgw_mo_unowned", "MO messages to numbers that nobody owns.", process.mo_unowned),
            ("smsgw_event_loop_stalls", "Times the loop was late by over 10 ms.", process.loop_stalls),
            ("smsgw_metrics_folded_accounts", "Look-ups of accounts that share the meter `other`.", self._meters.folded),
        ):
            family = CounterMetricFamily(name, text)
            family.add_metric([], value)
            yield family
        lag = GaugeMetricFamily("smsgw_event_loop_lag_seconds", "Greatest lag of the loop since the last scrape.")
        lag.add_metric([], process.loop_lag_s)
        process.loop_lag_s = 0.0
        yield lag
        for name, text, histogram in (
            ("smsgw_submit_response_seconds", "From submit_sm to its response.", self._meters.submit_response),
            ("smsgw_commit_cycle_seconds", "Cycles of the unit of work.", self._meters.cycle),
            ("smsgw_receipt_delay_seconds", "From a message's submit to its final receipt.", self._meters.receipt_delay),
        ):
            observed = HistogramMetricFamily(name, text, labels=[])
            _observed(observed, [], histogram)
            yield observed


def _filled(family: Metric, values: float | dict[tuple[str, ...], float]) -> Metric:
    if isinstance(values, dict):
        for labels, value in values.items():
            family.add_metric(list(labels), value)  # type: ignore[attr-defined]
    else:
        family.add_metric([], values)  # type: ignore[attr-defined]
    return family


def _observed(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    running, buckets = 0, []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], list(histogram.counts), strict=True):
        running += count
        buckets.append((bound, float(running)))
    family.add_metric(labels, buckets, histogram.total)


class Exposition:
    """What /metrics answers with."""

    def __init__(self, meters: Meters) -> None:
        """Register the collector beside those of the process and of the garbage collector."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(MeterCollector(meters))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return the text format; call it in a thread."""
        return generate_latest(self._registry)
