from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
import pytest

from smsgw.admin.api.node import _is_local
from tests.admin.api.scene import make_token
from tests.rig import provisioning, running
from tests.tls import self_signed


async def test_nothing_listens_unless_it_is_wanted(database: str):
    """Without [api] listen there is no port; what is counted is there all the same, at nought."""
    async with running(database, provisioning(1)) as daemon:
        assert daemon.api.port == 0
        assert daemon.meters.gauges["smsgw_api_checks"][2]() == 0
        assert daemon.meters.counters["smsgw_api_requests"][2]() == {}


async def test_over_tls_it_answers_tls_alone(database: str, tmp_path: Path):
    """With a certificate tokens go over TLS; whoever speaks plain HTTP gets no answer."""
    crt, key = self_signed(tmp_path)
    more = f'[api]\nlisten = "127.0.0.1:0"\ntls_cert = "{crt}"\ntls_key = "{key}"\n'
    async with running(database, provisioning(1), more=more) as daemon, aiohttp.ClientSession() as session:
        token = await make_token(database)
        given = {"Authorization": f"Bearer {token}"}
        url = f"localhost:{daemon.api.port}/v1/policies"
        trust = ssl.create_default_context(cafile=crt)
        async with session.get(f"https://{url}", headers=given, ssl=trust) as answer:
            assert (answer.status, await answer.json()) == (200, [])
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://{url}", headers=given)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("", False)]
)
def test_which_addresses_are_of_this_machine_alone(host: str, *, local: bool):
    """Elsewhere tokens in clear are warned of."""
    assert _is_local(host) is local
