"""What the simulated ends are like: habits and faults of a carrier, load of a tenant.

Never here: behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from smsgw.sim.fates import Shares
from smsgw.smpp import const


@dataclass(frozen=True, slots=True)
class CarrierSettings:
    """Habits and faults; all of them may be changed while it runs (`Carrier.settings`), those of ids and seed excepted.

    Binds: an empty `system_id` admits anyone; `bind_status` refuses everyone; `version` is sc_interface_version, 0 sends none.

    Answers: after `response_delay_ms` plus up to `response_jitter_ms`; ESME_RTHROTTLED over `rate` messages a second, or with more
    than `window` unanswered on a bind (0 = no limit).

    Ids: counted from `id_start`, written as `id_style` in submit_sm_resp and as `receipt_id_style` in receipts (`fates.ID_STYLES`).

    Receipts: where registered_delivery asks for them, after `receipt_delay_ms` plus up to `receipt_jitter_ms`, at most
    `receipt_window` unanswered on a bind (0 = no limit), with TLVs and with text (one of the two may be off). One that was not
    answered, or with a temporary error, is sent again after `receipt_retry_ms` (`redeliver`).

    Faults of a connection: after its `drop_after`-th submit_sm it is closed, that one answered or not (`drop_unanswered`); after
    its `silent_after`-th nothing is answered, and what comes is swallowed, or taken all the same (`silent_takes`). 0 = never.

    Faults of a message: `shares`. `verify`: texts are indexed (`sim.texts`), count each. `keep`: remember each message.
    `keep_bodies`: how many of the last submit_sm to keep whole.
    """

    system_id: str = ""
    password: str = field(default="", repr=False)
    seed: int = 1
    bind_status: int = 0
    max_binds: int = 0
    version: int = const.V34
    response_delay_ms: float = 0.0
    response_jitter_ms: float = 0.0
    rate: float = 0.0
    window: int = 0
    id_style: str = "dec"
    receipt_id_style: str = ""
    id_start: int = 1
    receipts: bool = True
    receipt_delay_ms: float = 0.0
    receipt_jitter_ms: float = 0.0
    late_receipt_ms: float = 1_000.0
    receipt_window: int = 0
    receipt_retry_ms: float = 1_000.0
    receipt_cap: int = 2_000_000
    receipt_tlvs: bool = True
    receipt_text: bool = True
    redeliver: bool = True
    drop_after: int = 0
    drop_unanswered: bool = False
    silent_after: int = 0
    silent_takes: bool = False
    shares: Shares = field(default_factory=Shares)
    verify: bool = False
    keep: bool = False
    keep_bodies: int = 0
    enquire_link_s: float = 30.0
    response_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """Whom to bind to, what to send, how fast. Seconds unless the name says otherwise; a count or rate of 0 sets no limit.

    Sessions: `sessions` of kind `bind` ("transceiver", "transmitter", "receiver") and `receivers` more bound as receivers, each
    with `window` unanswered submit_sm. `reconnect_s` > 0: a lost session is dialled again after so long.

    Messages: texts of `octets` carry their index, from `first` on; `destinations` numbers in turn, from `destination` up.
    `count` messages or `seconds`, whichever ends first, in a closed loop or at `rate` a second. `retry_throttled`: what was
    throttled is sent again after `throttle_pause_s`.

    Receipts: wait until none came for `linger_s`, `max_wait_s` at most. `deliver_status` answers every deliver_sm. `keep`:
    remember each id for good.
    """

    host: str = "127.0.0.1"
    port: int = 2775
    system_id: str = "user"
    password: str = field(default="pass", repr=False)
    bind: str = "transceiver"
    version: int = const.V34
    sessions: int = 1
    receivers: int = 0
    window: int = 10
    count: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    octets: int = 100
    source: str = "1000"
    destination: str = "447700000000"
    destinations: int = 1_000_000
    first: int = 0
    data_coding: int = 0
    registered_delivery: int = 1
    retry_throttled: bool = False
    throttle_pause_s: float = 0.05
    bind_timeout_s: float = 30.0
    response_timeout_s: float = 60.0
    enquire_link_s: float = 30.0
    linger_s: float = 5.0
    max_wait_s: float = 30.0
    reconnect_s: float = 0.0
    deliver_status: int = 0
    keep: bool = False
