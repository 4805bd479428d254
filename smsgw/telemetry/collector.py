"""The collector: turns the meters into Prometheus families at a scrape.

In two steps, because a scrape of a few hundred accounts takes a tenth of a second: `read` calls the gauges, in the loop,
where what they look at stands still; `render` makes the text, in a thread, from those readings and from the meters'
integers.

Names follow the conventions of Prometheus: base units, `_total` on counters, labels whose values are bounded by what is
provisioned. Never a label with a number, a message id, an address or an error's words.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from smsgw.telemetry.build import BUILD
from smsgw.telemetry.meters import OTHER, OTHER_STATUS, Histogram, LinkMeter, Meters, Reading
from smsgw.telemetry.names import receipt_state_name, state_name, status_name
from smsgw.telemetry.records import RecordLog

Sample = tuple[list[str], float]


def _counter(name: str, text: str, labels: str, samples: Iterable[Sample]) -> Metric:
    """Make a family of counters; `labels` are their names, by blanks."""
    family = CounterMetricFamily(name, text, labels=labels.split())
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram(name: str, text: str, labels: str, samples: Iterable[tuple[list[str], Histogram]]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels.split())
    for values, histogram in samples:
        running, buckets = 0, []
        for bound, count in zip([*map(str, histogram.bounds), "+Inf"], list(histogram.counts), strict=True):
            running += count
            buckets.append((bound, float(running)))
        family.add_metric(values, buckets, histogram.total)
    return family


def _read_out(family: GaugeMetricFamily | CounterMetricFamily, reading: Reading) -> Metric:
    if isinstance(reading, Mapping):
        for labels, value in reading.items():
            family.add_metric(list(labels), value)
    else:
        family.add_metric([], reading)
    return family


def _status_label(status: int) -> str:
    return OTHER if status == OTHER_STATUS else status_name(status)


class MeterCollector(Collector):
    """Reads the meters; `readings` are those of the gauges, taken before in the loop."""

    def __init__(self, meters: Meters, records: RecordLog | None = None) -> None:
        """Read these meters at every scrape."""
        self._meters = meters
        self._records = records
        self.readings: Mapping[str, Reading] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        info = GaugeMetricFamily(
            "smsgw_build_info", "Version of smsgw, which build of it, and of Python.", labels=["version", "build", "python"]
        )
        info.add_metric([version("smsgw"), BUILD, platform.python_version()], 1)
        yield info
        yield from self._accounts()
        yield from self._links()
        yield from self._process()
        yield from self._latencies()
        for name, (text, labels, _) in self._meters.gauges.items():
            if name in self.readings:
                yield _read_out(GaugeMetricFamily(name, text, labels=labels), self.readings[name])
        for name, (text, labels, _) in self._meters.counters.items():
            if name in self.readings:
                yield _read_out(CounterMetricFamily(name, text, labels=labels), self.readings[name])

    def _accounts(self) -> Iterator[Metric]:
        meters = list(self._meters.accounts.values())
        submits: list[Sample] = [([meter.name, "accepted"], meter.accepted) for meter in meters]
        submits += [([meter.name, reason], count) for meter in meters for reason, count in list(meter.refused.items())]
        yield _counter("smsgw_submits", "submit_sm and data_sm by what they were answered.", "account result", submits)
        yield _counter("smsgw_submit_parts", "Parts accepted.", "account", [([m.name], m.accepted_parts) for m in meters])
        relayed = [
            ([meter.name, result], count)
            for meter in meters
            for result, count in (
                ("delivered", meter.receipts_delivered),
                ("retried", meter.receipts_retried),
                ("refused", meter.receipts_refused),
            )
        ]
        yield _counter("smsgw_receipt_relay", "Receipts given to tenants, by their answer.", "account result", relayed)
        yield _counter("smsgw_mo_relay", "MO messages that tenants took.", "account", [([m.name], m.mo_delivered) for m in meters])

    def _links(self) -> Iterator[Metric]:
        links = list(self._meters.links.values())

        def each(read: str) -> list[Sample]:
            return [([link.name], getattr(link, read)) for link in links]

        yield _counter("smsgw_link_submits", "Answers to submits, by command_status.", "link status", _answers(links))
        yield _counter("smsgw_link_throttled", "Answers that asked to slow down.", "link", each("throttled"))
        yield _counter("smsgw_link_timeouts", "Submits that were not answered in time.", "link", each("timeouts"))
        yield _counter("smsgw_link_malformed", "PDUs that could not be read.", "link", each("malformed"))
        yield _counter("smsgw_link_alerts", "alert_notifications.", "link", each("alerts"))
        yield _counter("smsgw_link_connects", "Binds that succeeded.", "link", each("connects"))
        yield _counter("smsgw_mo", "MO messages received.", "link", each("mo"))
        lost = [([link.name, reason], count) for link in links for reason, count in list(link.disconnects.items())]
        yield _counter("smsgw_link_disconnects", "Sessions that ended, by reason.", "link reason", lost)
        receipts: dict[tuple[str, str], float] = {}
        for link in links:
            for state, count in list(link.receipts.items()):
                key = (link.name, receipt_state_name(state))
                receipts[key] = receipts.get(key, 0) + count
        found = [(list(key), count) for key, count in receipts.items()]
        yield _counter("smsgw_receipts_received", "Carriers' receipts, by message_state.", "link state", found)
        failed = [([link.name, kind], count) for link in links for kind, count in list(link.codes.items())]
        yield _counter(
            "smsgw_receipt_failures", "Messages not delivered, by the class of the carrier's code.", "link class", failed
        )

    def _process(self) -> Iterator[Metric]:
        process = self._meters.process
        final = [([state_name(state)], count) for state, count in list(process.final.items())]
        yield _counter("smsgw_messages_final", "Messages that came to their end, by state.", "state", final)
        refused = [([reason], count) for reason, count in list(process.binds_refused.items())]
        yield _counter("smsgw_binds_refused", "Binds refused, by reason.", "reason", refused)
        closed = [([reason], count) for reason, count in list(process.session_closes.items())]
        yield _counter("smsgw_session_closes", "Connections of tenants that ended, by reason.", "reason", closed)
        for name, text, value in (
            ("smsgw_connections", "Connections of tenants that were made.", process.connections),
            ("smsgw_receipts_duplicate", "Receipts for messages that were final already.", process.duplicate_receipts),
            ("smsgw_receipts_parked", "Receipts that matched nothing when they came.", process.parked_receipts),
            ("smsgw_receipts_parked_expired", "Parked receipts that never matched.", process.parked_expired),
            ("smsgw_receipts_expired", "Owed receipts whose time to live was over.", process.receipts_expired),
            ("smsgw_receipts_dropped", "Owed receipts over their account's cap.", process.receipts_dropped),
            ("smsgw_receipts_not_stored", "Carriers' receipts that the store did not take.", process.receipts_not_stored),
            ("smsgw_content_unreadable", "Times that something in the store did not open; tried each minute.", process.unreadable),
            ("smsgw_mo_unowned", "MO messages to numbers that nobody owns.", process.mo_unowned),
            ("smsgw_event_loop_stalls", "Turns of the loop that came over 10 ms late.", process.loop_stalls),
        ):
            yield _counter(name, text, "", [([], value)])
        if self._records is not None:
            yield _counter("smsgw_records", "Record lines written.", "", [([], self._records.written)])
            yield _counter("smsgw_records_dropped", "Record lines that found no room.", "", [([], self._records.dropped)])
        folded = GaugeMetricFamily("smsgw_metrics_folded_accounts", "Accounts that share the label `other`.")
        folded.add_metric([], len(self._meters.folded))
        yield folded
        lag = GaugeMetricFamily("smsgw_event_loop_lag_max_seconds", "Greatest lag of the loop since the last scrape.")
        lag.add_metric([], process.loop_lag_s)
        process.loop_lag_s = 0.0
        yield lag
        # Where resident memory rises and these do not, the allocators keep what a peak needed: nothing leaks.
        blocks = GaugeMetricFamily("smsgw_memory_blocks", "Pieces of memory in use: Python's objects and what they hold.")
        blocks.add_metric([], sys.getallocatedblocks())
        yield blocks

    def _latencies(self) -> Iterator[Metric]:
        meters = self._meters
        for name, text, histogram in (
            ("smsgw_submit_response_seconds", "From submit_sm to its response.", meters.submit_response),
            ("smsgw_policy_judging_seconds", "How long judging a message takes, of one in 64.", meters.judging),
            ("smsgw_commit_cycle_seconds", "Cycles of the unit of work.", meters.cycle),
            ("smsgw_receipt_delay_seconds", "From a message's acceptance to its final receipt.", meters.receipt_delay),
            ("smsgw_event_loop_lag_seconds", "How late the loop was.", meters.loop_lag),
        ):
            yield _histogram(name, text, "", [([], histogram)])
        links = [([link.name], link.latency) for link in list(meters.links.values())]
        yield _histogram("smsgw_link_submit_latency_seconds", "From submit_sm to the carrier's answer.", "link", links)


def _answers(links: list[LinkMeter]) -> Iterator[Sample]:
    for link in links:
        yield [link.name, "ESME_ROK"], link.sent
        for status, count in list(link.refused.items()):
            yield [link.name, _status_label(status)], count


class Exposition:
    """What /metrics answers with."""

    def __init__(self, meters: Meters, records: RecordLog | None = None) -> None:
        """Register the collector beside those of the process and of the garbage collector."""
        self._meters = meters
        self._collector = MeterCollector(meters, records)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def read(self) -> dict[str, Reading]:
        """Read all gauges; call it in the loop."""
        meters = self._meters
        return {name: read() for table in (meters.gauges, meters.counters) for name, (_, _, read) in table.items()}

    def render(self, readings: Mapping[str, Reading] | None = None, accept: str = "") -> tuple[bytes, str]:
        """Return text and content type for an Accept header; call it in a thread, one at a time."""
        self._collector.readings = self.read() if readings is None else readings
        generate, content_type = choose_encoder(accept)
        return generate(self._registry), content_type
