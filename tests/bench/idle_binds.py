"""What idle binds cost: the gateway process's resident memory before and after 1,000 of them.

`python -m tests.bench.idle_binds` prints a line and exits 1 over 40 MiB. The binds come from this process, and each
has an enquire_link answered.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from smsgw.smpp import const
from tests.alone import own_server
from tests.hostile.town import MIB, memory, town
from tests.peers import Esme

LIMIT = 40 * MIB


async def measure(dsn: str, directory: Path, count: int) -> int:
    """Return by how many octets the gateway grows with so many binds, all alive."""
    async with town(dsn, directory) as place:
        warm = place.good()
        await warm.run()
        before = memory(place.gateway.pid)
        esmes = await asyncio.gather(*(Esme.connect(place.gateway.port) for _ in range(count)))
        binds = await asyncio.gather(*(esme.bind("evil", "evil") for esme in esmes))
        assert {bind.status for bind in binds} == {const.ESME_ROK}
        await asyncio.gather(*(esme.ask(const.ENQUIRE_LINK) for esme in esmes))
        grown = memory(place.gateway.pid) - before
        await asyncio.gather(*(esme.close() for esme in esmes))
        return grown


async def _alone(count: int) -> int:
    async with own_server("idle") as (server, own):
        return await measure(server.dsn, own, count)


def main() -> int:
    """Measure with a database of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--binds", type=int, default=1_000)
    count = parser.parse_args().binds
    grown = asyncio.run(_alone(count))
    sys.stdout.write(
        f"{count} idle binds: {grown / MIB:.1f} MiB more, {grown / count / 1024:.1f} KiB each (at most {LIMIT // MIB} MiB)\n"
    )
    return int(grown > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
