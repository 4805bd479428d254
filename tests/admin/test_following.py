"""What a running gateway does when it is provisioned anew: the whole way from `apply` to sessions and links."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smsgw.daemon import Daemon
from smsgw.smpp import const
from tests.peers import Esme
from tests.rig import provision, provisioning, running

FILE = provisioning(1)
SECOND = '[[account]]\ntenant = "acme"\nsystem_id = "acme2"\npassword = "secret"\n'
SOON_S = 3.0  # under the poll's 5 s: it is NOTIFY that woke it


@pytest.fixture
async def daemon(database: str) -> AsyncIterator[Daemon]:
    """A running gateway whose link has nobody to talk to."""
    async with running(database, FILE) as daemon:
        yield daemon


async def put(daemon: Daemon, text: str) -> None:
    """Apply a file beside the gateway, and wait until it follows."""
    before = daemon.directory.version
    await provision(daemon.ground.dsn, Path(daemon.config.node.data_dir), text)
    async with asyncio.timeout(SOON_S):
        while daemon.directory.version == before:  # noqa: ASYNC110 - another task of this loop does it
            await asyncio.sleep(0)


async def test_a_new_account_binds_at_once_and_nobody_is_dropped(daemon: Daemon):
    """A file with one more account is followed while another account's session stays bound and works."""
    async with await Esme.connect(daemon.ports[0]) as first, await Esme.connect(daemon.ports[0]) as second:
        assert (await first.bind("acme1", "secret")).status == const.ESME_ROK
        await put(daemon, FILE + SECOND)
        assert (await second.bind("acme2", "secret")).status == const.ESME_ROK
        assert (await first.submit()).status == const.ESME_ROK
        assert not first.ended.is_set()


async def test_a_deleted_account_is_unbound(daemon: Daemon):
    """An account that is taken out of the file gets an unbind and may not come back; the others stay."""
    await put(daemon, FILE + SECOND)
    async with await Esme.connect(daemon.ports[0]) as first, await Esme.connect(daemon.ports[0]) as second:
        await first.bind("acme1", "secret")
        await second.bind("acme2", "secret")
        await put(daemon, FILE)
        assert (await second.request(const.UNBIND)).command == const.UNBIND
        await second.closed()
        assert (await first.submit()).status == const.ESME_ROK
    async with await Esme.connect(daemon.ports[0]) as again:
        assert (await again.bind("acme2", "secret")).status == const.ESME_RBINDFAIL


async def test_a_lost_route_holds_for_the_next_message(daemon: Daemon):
    """A bound session's next submit_sm is judged by the file that was applied a moment ago."""
    async with await Esme.connect(daemon.ports[0]) as esme:
        await esme.bind("acme1", "secret")
        assert (await esme.submit()).status == const.ESME_ROK
        await put(daemon, FILE.partition("[[route]]")[0])
        assert (await esme.submit()).status != const.ESME_ROK
        await put(daemon, FILE)
        assert (await esme.submit()).status == const.ESME_ROK
