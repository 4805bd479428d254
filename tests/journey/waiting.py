"""What waits, and what happens meanwhile: the ways in which a message may wait, and the events of the table in test_meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from smsgw.admin.standing import change_state
from smsgw.policy import docket as dockets
from smsgw.smpp import bodies, const
from smsgw.smpp.pdu import Pdu
from tests.admin.test_reviewing import accept, in_review
from tests.journey.parted import DEST, SOURCE, policed, put, scene_of
from tests.journey.scene import id_of
from tests.journey.test_defer import Window
from tests.journey.test_hold import second
from tests.peers import Esme

TEXTS: Final = ("您好，您的快递", "已到驿站，请", "及时领取。")
BAIT: Final = "快加微信，快递有惊喜"
HARMLESS: Final = '[[terms]]\nid = "gambling"\nwords = ["百家乐"]\nmust = ["百家乐"]\n'
HOLDING: Final = HARMLESS + '[[terms]]\nid = "bait"\nwords = ["加微信"]\naction = "hold"\nmust = ["快加微信"]\n'
REFUSING: Final = '[[terms]]\nid = "parcel"\nwords = ["快递"]\nmust = ["快递"]\n'
UNREAD: Final = '[recipient]\ncountries = ["CN"]\n'


class Waiting:
    """Messages of a tenant that wait, in one of these ways, and what brings them to their end.

    `parts`: two of three parts of a text; the last one comes after the event. `whole`: all three, out of hours. `deferred`: a
    single message out of hours. `reviewed`: a single message before a person, who lets it go after the event.
    """

    def __init__(self, database: str, directory: Path, kind: str) -> None:
        """Make the scene; it plays within `playing`."""
        self.window = Window()
        self.kind = kind
        self.directory = directory
        self.account = ""
        self.fields: dict[str, Any] = {}
        self.scene = scene_of(database, directory, self._set(HOLDING), more="[hold]\nwait_s = 300.0\n")  # a take-over runs time
        self.scene._text = self._provisioning
        self.ids: list[bytes] = []
        self.last: int = const.ESME_ROK
        self._changed: Callable[[str], str] = str
        self._reviews: list[int] = []
        self._stack = contextlib.AsyncExitStack()
        self.tenant: Esme

    def _set(self, rules: str) -> str:
        return self.window.policy(rules) if self.kind in {"whole", "deferred"} else rules

    def _provisioning(self, *ports: int) -> str:
        file = self.directory / "set.toml"
        return self._changed(policed(self.directory, file.read_text(encoding="utf-8"), self.account)(*ports))

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncIterator[Waiting]:
        """Have them wait; at the end the books must balance."""
        async with self.scene.playing(), self._stack:
            self.scene.smsc.receipts = "DELIVRD"
            self.tenant = await self.scene.tenant()
            for number in range(1, {"parts": 2, "whole": 3}.get(self.kind, 1) + 1):
                self.ids.append(id_of(await self.put(number)))
            if self.kind == "reviewed":
                self._reviews = await in_review(self.scene)
            elif self.kind == "whole":
                await self.scene.until(lambda: self.scene.daemon.hold.fates["deferred", "rules"] == 1)
            yield self

    async def put(self, number: int) -> Pdu:
        """Submit a part, or the message."""
        if self.kind in {"parts", "whole"}:
            return await put(self.tenant, TEXTS[number - 1], number, 3, **self.fields)
        text = BAIT if self.kind == "reviewed" else "".join(TEXTS)
        fields = {"data_coding": 8, "registered_delivery": 1, **self.fields}
        return await self.tenant.submit(SOURCE, DEST, text.encode("utf-16-be"), **fields)

    async def end(self) -> None:
        """Bring about what they wait for. A last part that is refused leaves the others to wait in vain."""
        if self.kind == "reviewed":
            await accept(self.scene, *self._reviews)
        elif self.kind == "parts":
            answer = await self.put(3)
            self.last = answer.status
            if answer.status:
                await self.patience()
            else:
                self.ids.append(id_of(answer))
        else:
            await self.scene.later(self.window.opens_s + 30.0)

    async def patience(self) -> None:
        """The time is over for which the parts of a text wait for each other."""
        await self.scene.later(301.0)

    async def provisioned(self, changed: Callable[[str], str]) -> None:
        """Apply the file as it is changed by a function; the gateway has followed."""
        self._changed = changed
        before = self.scene.daemon.directory.version
        await self.scene.provision(self.scene._text(*(smsc.port for smsc in self.scene.smscs)))
        await self.scene.until(lambda: self.scene.daemon.directory.version > before)

    async def replaced(self, rules: str) -> None:
        """The account's set says something else from now on."""
        (self.directory / "set.toml").write_text(rules, encoding="utf-8")
        await self.provisioned(str)


# ---- what happens meanwhile -------------------------------------------------------------------------------------------


async def nothing(_waiting: Waiting) -> None:
    """Nothing happens."""


def standing(kind: str, name: str, *states: str) -> Callable[[Waiting], Any]:
    """Somebody changes how an account or a contract stands."""

    async def changed(waiting: Waiting) -> None:
        scene = waiting.scene
        for state in states:
            before = scene.daemon.directory.version
            await change_state(scene.connection, kind, name, state, actor="ann", reason="test")
            await scene.until(lambda before=before: scene.daemon.directory.version > before)

    return changed


async def price_gone(waiting: Waiting) -> None:
    """The tenant has no price for the destination any more."""
    await waiting.provisioned(
        lambda text: text.replace('tenant = "acme"\nprefix = ""\nprice', 'tenant = "acme"\nprefix = "44"\nprice')
    )


async def route_gone(waiting: Waiting) -> None:
    """No route leads to the destination any more."""
    await waiting.provisioned(lambda text: text.replace('[[route]]\nprefix = ""', '[[route]]\nprefix = "44"'))


async def set_gone(waiting: Waiting) -> None:
    """The account is judged by nobody any more."""
    await waiting.provisioned(lambda text: text.replace('policy = "set"\n', ""))


def replaced(rules: str) -> Callable[[Waiting], Any]:
    """The set is replaced by one with these rules, and without hours."""

    async def changed(waiting: Waiting) -> None:
        await waiting.replaced(rules)

    return changed


def broken(fail: str) -> Callable[[Waiting], Any]:
    """The engines of the set break; `fail` is what it says for that."""

    async def changed(waiting: Waiting) -> None:
        file = waiting.directory / "set.toml"
        await waiting.replaced(f'fail = "{fail}"\n{file.read_text(encoding="utf-8")}')
        steps = waiting.scene.daemon.docket._steps
        steps["set"] = steps["set"]._replace(steps=(dockets._broken,), plain=(dockets._broken,))

    return changed


async def asked(waiting: Waiting) -> None:
    """The tenant asks for one, which is on its way, and would cancel and replace it, which is not offered."""
    tenant, one = waiting.tenant, waiting.ids[0]
    answer = await tenant.ask(const.QUERY_SM, bodies.query_sm_body(message_id=one, source=SOURCE))
    assert bodies.read_query_sm_resp(answer.octets).message_state == const.STATE_ENROUTE
    cancelled = await tenant.ask(const.CANCEL_SM, bodies.cancel_sm_body(message_id=one))
    assert cancelled.status == const.ESME_RCANCELFAIL
    body = bodies.replace_sm_body(message_id=one, short_message=b"x")
    assert (await tenant.ask(const.REPLACE_SM, body)).status == const.ESME_RREPLACEFAIL


async def validity_over(waiting: Waiting) -> None:
    """The time is over within which they had to be delivered."""
    await waiting.scene.later(21.0)
    await waiting.scene.turns()


async def restarted(waiting: Waiting) -> None:
    """The gateway is killed and started again."""
    await waiting.scene.kill()
    await waiting.scene.start()
    waiting.tenant = await waiting.scene.tenant()


async def taken_over(waiting: Waiting) -> None:
    """The gateway is killed, and another node takes its work up."""
    scene = waiting.scene
    other, port = await waiting._stack.enter_async_context(second(scene))
    await scene.smsc.bound(2)
    await scene.kill()
    await scene.until(lambda: len(scene.smsc.live) == 1)  # else the carrier might say its receipts to the dead
    await scene.hastened(lambda: other.recover.taken_over == 1)
    scene.daemon = other
    waiting.tenant = await waiting._stack.enter_async_context(await Esme.connect(port))
    assert (await waiting.tenant.bind("acme1", "secret")).status == const.ESME_ROK


async def store_lost(waiting: Waiting) -> None:
    """The store goes, meanwhile nothing is taken, and it comes again."""
    async with waiting.scene.storeless():
        assert (await waiting.put(1)).status == const.ESME_RSYSERR
    await waiting.scene.until(lambda: waiting.scene.daemon.commit.available)


async def sent_again(waiting: Waiting) -> None:
    """The tenant sends the first once more, within its duplicate window: it is the same message."""
    assert id_of(await waiting.put(1)) == waiting.ids[0]


async def relayed(waiting: Waiting) -> None:
    """The account's messages are relayed from now on, and judged part by part."""
    (waiting.directory / "set.toml").write_text('[text]\nparts = "each"\n' + HARMLESS, encoding="utf-8")
    await waiting.provisioned(lambda text: text.replace('policy = "set"\n', 'policy = "set"\nmode = "relay"\n'))
