"""Binds counted in the store: over nodes, given back, given back again after a failure."""

from __future__ import annotations

from typing import Self

import pytest

from smsgw.store.commit import Seat
from smsgw.store.database import Connection, open_pool
from smsgw.tenants.counted import CountedBinds


async def counted(connection: Connection) -> int:
    """How many binds the store counts."""
    return int(await connection.fetchval("SELECT count(*) FROM bind"))


async def test_binds_are_shared_by_nodes_and_given_back(database: str, connection: Connection):
    """The last bind that one node takes is not there for another, until it has been given back."""
    async with await open_pool(database) as pool:
        one, two = CountedBinds(pool, Seat(1, 1)), CountedBinds(pool, Seat(2, 1))
        assert await one.claim(7, "trx", 1, 0)
        assert not await two.claim(7, "trx", 1, 0)
        one.release(7, "trx")
        assert one.owing
        await one.give_back()
        assert (one.owing, await counted(connection)) == (False, 0)
        assert await two.claim(7, "trx", 1, 0)


async def test_what_the_store_did_not_take_is_given_back_later(database: str, connection: Connection):
    """With the store away nothing is forgotten."""
    pool = await open_pool(database)
    binds = CountedBinds(pool, Seat(1, 1))
    assert await binds.claim(7, "rx", 0, 0)
    binds.release(7, "rx")
    async with connection.transaction():
        await connection.execute("LOCK TABLE bind IN ACCESS EXCLUSIVE MODE")
        pool.terminate()
        failed = False
        try:
            await binds.give_back()
        except Exception:  # noqa: BLE001 - whatever a pool that is gone raises
            failed = True
    assert failed
    assert binds.owing
    async with await open_pool(database) as again:
        binds._pool = again
        await binds.give_back()
    assert await counted(connection) == 0


async def test_a_bind_whose_claim_was_not_heard_of_is_given_back(database: str, connection: Connection):
    """The store counts it, and the connection is lost before it says so: the tenant is not one bind short for that."""

    class _Deaf:
        """A pool whose connections are lost once they have done what was asked."""

        def acquire(self) -> _Deaf:
            return self

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def fetchval(self, *asked: object) -> None:
            await connection.fetchval(*asked)
            raise ConnectionResetError

    binds = CountedBinds(_Deaf(), Seat(1, 1))  # type: ignore[arg-type]
    with pytest.raises(ConnectionResetError):
        await binds.claim(7, "trx", 1, 0)
    assert (binds.owing, await counted(connection)) == (True, 1)
    async with await open_pool(database) as pool:
        binds._pool = pool
        await binds.give_back()
        assert await binds.claim(7, "trx", 1, 0)
