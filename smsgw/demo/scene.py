"""Who takes part: the gateway's settings, its provisioning, and the habits of the two carriers.

Never here: behaviour.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from smsgw.sim.fates import Shares
from smsgw.sim.settings import CarrierSettings, TenantSettings

GUEST: Final = ("you", "secret")
"""Credentials for a client of one's own."""

ALPHA: Final = CarrierSettings(
    system_id="gw",
    password="gw",  # noqa: S106 - of a simulated carrier on loopback
    seed=1,
    response_delay_ms=8,
    response_jitter_ms=20,
    receipt_delay_ms=600,
    receipt_jitter_ms=900,
    receipt_retry_ms=500,
    shares=Shares(stats={"UNDELIV": 0.03, "EXPIRED": 0.01}, early=0.01, duplicate=0.01, throttled=0.01),
    verify=True,
)
"""Answers in 8 to 28 ms, receipts after about a second; some of them early, some twice; throttles now and then."""

BETA: Final = CarrierSettings(
    system_id="gw",
    password="gw",  # noqa: S106 - see ALPHA
    seed=2,
    response_delay_ms=25,
    response_jitter_ms=30,
    receipt_delay_ms=1_200,
    receipt_jitter_ms=600,
    receipt_retry_ms=500,
    id_style="hex8",
    receipt_id_style="dec",
    shares=Shares(errors={0x45: 0.01, 0x0B: 0.01}, stats={"UNDELIV": 0.05}, intermediate=1.0),
    verify=True,
)
"""Slower; writes ids in hexadecimal in submit_sm_resp and in decimal in receipts; refuses a few messages."""


def bulk_settings(port: int, system_id: str, rate: float) -> TenantSettings:
    """Return the settings of a simulated tenant: two sessions, an even rate, Chinese numbers."""
    return TenantSettings(
        port=port,
        system_id=system_id,
        password=f"{system_id}pw",
        sessions=2,
        window=20,
        rate=rate,
        octets=60,
        source="10690001",
        destination="8613800000000" if system_id == "acme1" else "447700900000",
        destinations=10_000,
        reconnect_s=0.5,
        linger_s=10.0,
        max_wait_s=15.0,
    )


def config_text(data_dir: Path, port: int, admin: int) -> str:
    """Return the smsgw.toml of the demo."""
    return f"""# smsgw demo: the settings of this process
[node]
id = 1
data_dir = "{data_dir}"
drain_s = 5.0
[database]
dsn = "embedded"
wal_ahead_mib = 0
[smpp]
listen = ["127.0.0.1:{port}"]
[admin]
listen = "127.0.0.1:{admin}"
[log]
format = "json"
messages = "all"
records = "{data_dir}/messages.jsonl"
"""


def provisioning_text(alpha_port: int, beta_port: int) -> str:
    """Return the provisioning.toml of the demo: three tenants, two carriers; numbers of China by alpha first, others by beta."""
    tenants = "".join(
        f"""
[[tenant]]
name = "{name}"
currency = "{currency}"
balance = "{balance}"
basis = "{basis}"
[[account]]
tenant = "{name}"
system_id = "{name}1"
password = "{name}1pw"
[[price]]
tenant = "{name}"
prefix = ""
price = "{price}"
"""
        for name, currency, balance, basis, price in (
            ("acme", "CNY", "1000.00", "submitted", "0.038"),
            ("bolt", "EUR", "500.00", "delivered", "0.0605"),
            ("nova", "CNY", "100.00", "sent", "0.04"),
        )
    )
    links = "".join(
        f"""
[[carrier]]
name = "{name}"
[[link]]
carrier = "{name}"
name = "{name}-1"
host = "127.0.0.1"
port = {port}
system_id = "gw"
password = "gw"
bind = "transceiver"
binds = 2
window = 50
reconnect_max_s = 2.0
{extra}
"""
        for name, port, extra in (
            ("alpha", alpha_port, ""),
            ("beta", beta_port, 'dialect = { submit_id = "hex-to-dec", strip_zeros = true }'),
        )
    )
    return f"""# smsgw demo: whom it serves and by which carriers
{tenants}
[[account]]
tenant = "acme"
system_id = "{GUEST[0]}"
password = "{GUEST[1]}"
[[number]]
number = "10690001"
account = "acme1"
{links}
[[route]]
prefix = "86"
links = ["alpha-1", "beta-1"]
[[route]]
prefix = ""
links = ["beta-1", "alpha-1"]
"""
