"""Rule sets over HTTP: seen, sent, tried, taken back. What is sent is compiled and proved before anything is stored.

Who changes something is the token, by its name: `token:NAME` in the audit. The running gateways follow as they follow an apply.

Promises: what has a fault changes nothing, and is answered with every fault.
Must never: answer a text that was sent, or a whole number; compile in the loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from smsgw.admin.api import shapes
from smsgw.admin.api.problems import Refused, body_of, faulty, kept
from smsgw.admin.api.trying import Trying, beside, lists_of, refuse_faulty, refused_for_relay, span_of
from smsgw.admin.control import NotThere
from smsgw.admin.policy_sets import Edit, Expected, earlier, made_of, put, remove, roll_back, stored
from smsgw.admin.replaying import over_stored, word_of
from smsgw.config import Config
from smsgw.directory import Directory
from smsgw.policy.check import Checked
from smsgw.policy.compare import Comparison, classes, compare, in_shadow, table_of
from smsgw.policy.content import needs_store
from smsgw.policy.faults import Fault
from smsgw.policy.file import PolicyFault, PolicyFile
from smsgw.policy.marks import Marks
from smsgw.policy.replay import Replay
from smsgw.policy.ruleset import Bundle, decode_bundle
from smsgw.policy.shadowing import CannotSwitch, NoSuchRule, switched
from smsgw.policy.turns import short_turns
from smsgw.store import policies as store
from smsgw.store.database import LOST, Pool, borrowed, connect
from smsgw.store.provisioning import audit, lock
from smsgw.store.sealed import Opener
from smsgw.telemetry import mask

TABLES: Final = 100
"""Versions whose tables are kept at hand for the list."""
VERSIONS: Final = 1_000
SMALL: Final = 65_536
"""Octets of a body that holds no files."""
_ENDS: Final = ("pass", "flag", "hold", "reject")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of somebody who may ask it. `actor`: as the audit names him; `body`: unread, to be read up to so many octets."""

    actor: str
    name: str
    query: Mapping[str, str]
    expected: Expected
    body: Callable[[int], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer. `version`: its ETag."""

    value: Any
    status: int = 200
    version: str = ""


class Policies:
    """Answers about rule sets, for one node."""

    def __init__(  # noqa: PLR0917 - what it answers from
        self,
        config: Config,
        pool: Pool,
        dsn: str,
        directory: Callable[[], Directory],
        why: Callable[[Mapping[str, Any]], Awaitable[list[dict[str, Any]]]],
        opened: Opener,
        trying: Trying,
        marks: Marks,
    ) -> None:
        """`directory`, `marks`: what this node judges by; `why` and `opened` as the commands have them."""
        self._config = config
        self._pool = pool
        self._dsn = dsn
        self._directory = directory
        self._why = why
        self._opened = opened
        self._trying = trying
        self._marks = marks
        self._tables: dict[str, PolicyFile] = {}
        self._log = structlog.get_logger().bind()

    # ---- seen ----------------------------------------------------------------------------------------------------------

    async def index(self, _asked: Asked) -> Told:
        """All sets in force."""
        async with borrowed(self._pool) as connection:
            rows = await store.in_force(connection)
        return Told([await self._row(row) for row in rows])

    async def _row(self, row: Mapping[str, Any]) -> shapes.PolicyRow:
        directory, name, version = self._directory(), row["name"], row["version"]
        loaded = directory.policies.get(name)
        in_force = loaded is not None and loaded.version == version
        fault = dict(directory.policy_faults).get(name, "")
        try:
            table = loaded.table if loaded is not None and in_force else await self._table(version)
        except (PolicyFault, msgspec.DecodeError) as error:  # of another smsgw, perhaps: the other sets are shown all the same
            table, fault = None, fault or f"{type(error).__name__}: {error}"
        return shapes.PolicyRow(
            name=name,
            version=version,
            state="faulty" if table is None else "shadow" if table.mode == "shadow" else "live",
            rules=classes(table) if table is not None else {},
            shadow_rules=list(in_shadow(table)) if table is not None else [],
            accounts=row["accounts"],
            in_force=in_force,
            fault=fault,
            at=row["at"],
            by=row["actor"] or "",
            reason=row["reason"] or "",
        )

    async def _table(self, version: str) -> PolicyFile:
        """Return the tables of a version that this node does not judge by (yet). Raises PolicyFault, msgspec.DecodeError."""
        found = self._tables.get(version)
        if found is None:
            async with borrowed(self._pool) as connection:
                content = await store.content_of(connection, version)
            found = await beside(lambda: table_of(decode_bundle(content)))
            if len(self._tables) >= TABLES:
                self._tables.pop(next(iter(self._tables)))
            self._tables[version] = found
        return found

    async def files(self, asked: Asked) -> Told:
        """One set, as it is stored."""
        async with borrowed(self._pool) as connection:
            entity, bundle = await stored(connection, asked.name, asked.query.get("version", ""))
            live = await store.entity(connection, asked.name)
        files = [shapes.FileText(*source) for source in bundle.sources]
        version = entity["version"]
        is_live = live is not None and live["version"] == version
        lists = await beside(lists_of, bundle)
        return Told(shapes.PolicyFiles(asked.name, version, is_live, files, lists), version=version)

    async def versions(self, asked: Asked) -> Told:
        """What became of a set, the newest first."""
        async with borrowed(self._pool) as connection:
            rows = await store.history(connection, asked.name, VERSIONS)
            live = await store.entity(connection, asked.name)
        if not rows and live is None:
            raise _no_set(asked.name)
        now = live["version"] if live is not None else ""
        return Told([_version(row, now) for row in rows], version=now)

    # ---- changed ---------------------------------------------------------------------------------------------------------

    async def put(self, asked: Asked) -> Told:
        """A whole set: checked, and put in force unless it is a dry run."""
        with self._trying.checks.take():
            body = body_of(await asked.body(self._config.api.max_body), shapes.PutBody)
            live = await self._live(asked.name)
            asked.expected.check(live[0])
            checked = await self._trying.check(asked.name, body.files, body.lists)
        await self._refuse(asked.name, checked)
        difference = await beside(_difference, live[1], checked.bundle)
        proved = shapes.SelfTest(passed=True, must=checked.proved, harmless=checked.harmless)
        made = await beside(made_of, checked.bundle)
        version = made.version
        if is_on(asked.query.get("dry_run", "")):
            changed = version != live[0]
            would = shapes.PolicyChange(
                asked.name, version, live[0], changed, dry_run=True, difference=difference, self_test=proved
            )
            return Told(would, version=live[0])
        async with borrowed(self._pool) as connection:
            files = [one.name for one in body.files]
            edit = await put(
                connection,
                asked.name,
                files,
                made,
                actor=asked.actor,
                reason=body.reason,
                expected=asked.expected,
            )
        return await self._changed(asked, edit, difference, proved, status=200 if edit.old else 201)

    async def delete(self, asked: Asked) -> Told:
        """A set that judges nobody, taken away; its versions stay for as long as they are kept."""
        reason = kept("reason", asked.query.get("reason", ""))
        before = await self._live(asked.name)
        async with borrowed(self._pool) as connection:
            edit = await remove(connection, asked.name, actor=asked.actor, reason=reason, expected=asked.expected)
        return await self._changed(asked, edit, await beside(_difference, before[1], None))

    async def roll_back(self, asked: Asked) -> Told:
        """A version that the set had, in force again. It was compiled when it came, and is so anew for relay accounts alone."""
        body = body_of(await asked.body(SMALL), shapes.RollbackBody)
        version, before = await self._live(asked.name)
        asked.expected.check(version)
        async with borrowed(self._pool) as connection:
            wanted, bundle = await earlier(connection, asked.name, body.version)
            relaying = await store.relay_accounts(connection, asked.name)
        if relaying:  # an account may have become one since
            with self._trying.checks.take():
                checked = await self._trying.check_bundle(asked.name, bundle)
            await self._refuse(asked.name, checked)
        expected = asked.expected if asked.expected.versions else Expected((version,))
        async with borrowed(self._pool) as connection:
            edit = await roll_back(
                connection, asked.name, wanted["version"], actor=asked.actor, reason=body.reason, expected=expected
            )
        return await self._changed(asked, edit, await beside(_difference, before, bundle))

    async def shadow(self, asked: Asked) -> Told:
        """A rule, or the set, into shadow mode or out of it."""
        body = body_of(await asked.body(SMALL), shapes.ShadowBody)
        with self._trying.checks.take():
            version, bundle = await self._live(asked.name)
            asked.expected.check(version)
            if bundle is None:
                raise _no_set(asked.name)
            try:
                sources = await beside(switched, bundle.sources, body.rule, on=body.on)
            except NoSuchRule as error:
                raise Refused(404, "no_such_rule", str(error)) from None
            except CannotSwitch as error:
                raise Refused(409, "cannot_switch", str(error)) from None
            checked = await self._trying.check_bundle(asked.name, Bundle(sources, bundle.words, bundle.numbers))
        await self._refuse(asked.name, checked)
        difference = await beside(_difference, bundle, checked.bundle)
        reason = body.reason or f"shadow {'on' if body.on else 'off'}: {body.rule or 'the set'}"
        expected = asked.expected if asked.expected.versions else Expected((version,))
        made = await beside(made_of, checked.bundle)
        async with borrowed(self._pool) as connection:
            files = [name for name, _ in sources]
            edit = await put(connection, asked.name, files, made, actor=asked.actor, reason=reason, expected=expected)
        proved = shapes.SelfTest(passed=True, must=checked.proved, harmless=checked.harmless)
        return await self._changed(asked, edit, difference, proved)

    async def _live(self, name: str) -> tuple[str, Bundle | None]:
        """Return the version in force and what it is made of; ("", None) where there is no such set."""
        async with borrowed(self._pool) as connection:
            entity = await store.entity(connection, name)
            content = await store.content_of(connection, entity["version"]) if entity is not None else b""
        return (entity["version"], await beside(decode_bundle, content)) if entity is not None else ("", None)

    async def _refuse(self, name: str, checked: Checked) -> None:
        """Refuse a set with a fault, and one that makes messages of relay accounts wait."""
        refuse_faulty(checked)
        assert checked.made is not None
        why = needs_store(checked.made)
        if why:
            async with borrowed(self._pool) as connection:
                accounts = await store.relay_accounts(connection, name)
            if accounts:
                raise refused_for_relay(name, accounts, why)

    async def _changed(
        self,
        asked: Asked,
        edit: Edit,
        difference: shapes.RuleDifference,
        proved: shapes.SelfTest | None = None,
        *,
        status: int = 200,
    ) -> Told:
        if edit.made:
            self._log.info("policy_changed", policy=edit.name, version=edit.new[:8], before=edit.old[:8], actor=asked.actor)
            rules = self._config.rules
            with suppress(*LOST):  # the change is made: the next one forgets what this one did not
                async with borrowed(self._pool) as connection, connection.transaction():
                    await lock(connection)
                    await store.purge(connection, keep=rules.keep_versions, days=rules.keep_days)
        value = shapes.PolicyChange(
            edit.name, edit.new, edit.old, edit.made, dry_run=False, difference=difference, self_test=proved
        )
        return Told(value, status, edit.new)

    # ---- tried -----------------------------------------------------------------------------------------------------------

    async def replay(self, asked: Asked) -> Told:
        """Another set, or version, over what is stored: what it would do otherwise than the one in force."""
        with self._trying.replays.take():
            body = body_of(await asked.body(self._config.api.max_body), shapes.ReplayBody)
            since, most = span_of(body.since), self._most(body.limit)
            with self._trying.checks.take():
                checked = await self._tried(asked.name, body)
            refuse_faulty(checked)
            assert checked.made is not None
            directory = self._directory()
            accounts = {
                one.id: one
                for one in directory.accounts()
                if (one.system_id == body.account if body.account else one.policy == asked.name)
            }
            if not accounts:
                told = (
                    f"there is no account {body.account!r}"
                    if body.account
                    else f"no account has the policy {asked.name!r}: name one"
                )
                raise faulty([Fault(told, key="account", hint="a system_id (smsgw account list)")])
            replay = Replay(directory.policies.get(asked.name), checked.made, directory.owner_of, self._marks)
            connection = await connect(self._dsn, name="smsgw replay")
            try:  # it tells what texts say, one question at a time: whoever asks is in the audit
                said = {"policy": asked.name, "account": body.account, "since": body.since}
                await audit(connection, asked.actor, ("content", asked.name), None, said, body.reason or "replay of a rule set")
                with short_turns():
                    await over_stored(connection, replay, accounts, since=since, most=most, opened=self._opened)
            finally:
                await connection.close()
        return Told(_replayed(asked.name, checked.made.version, replay))

    async def _tried(self, name: str, body: shapes.ReplayBody) -> Checked:
        """Return the set to try: from files, or a version that the set had."""
        if bool(body.version) == bool(body.files):
            raise faulty([Fault("files or version, one of them", key="files", hint="files as PUT takes them, or a version")])
        if body.files:
            return await self._trying.check(name, body.files, body.lists)
        async with borrowed(self._pool) as connection:
            _, bundle = await stored(connection, name, body.version)
        return await self._trying.check_bundle(name, bundle)

    def _most(self, limit: int) -> int:
        most = self._config.api.replay_most
        if not 0 < limit <= most:
            raise faulty([Fault(f"{limit} texts", key="limit", hint=f"1 to {most} (api.replay_most)")])
        return limit

    async def why(self, asked: Asked) -> Told:
        """What would become of a message, which is not sent."""
        body = body_of(await asked.body(SMALL), shapes.WhyBody)
        account = self._directory().account(body.account)
        if account is None or account.policy != asked.name:
            has = (
                "there is no such account"
                if account is None
                else f"its policy is {account.policy!r}"
                if account.policy
                else "it has none"
            )
            hint = f"an account that {asked.name!r} judges"
            raise faulty([Fault(f"account {body.account!r} is not judged by {asked.name!r}: {has}", key="account", hint=hint)])
        try:
            rows = await self._why({"account": body.account, "to": body.to, "text": body.text, "from": body.source})
        except NotThere as error:
            raise faulty([Fault(str(error), hint="see smsgw why")]) from None
        return Told([shapes.WhyRow(**row) for row in rows])


def _no_set(name: str) -> Refused:
    return Refused(404, "no_such_policy", f"there is no rule set {name!r}")


def is_on(word: str) -> bool:
    """Read a switch of the query. Raises Refused."""
    if word not in {"", "0", "1", "false", "true"}:
        raise faulty([Fault(f"{word[:20]!r} is neither on nor off", key="dry_run", hint="0 or 1")])
    return word in {"1", "true"}


def _version(row: Mapping[str, Any], live: str) -> shapes.VersionRow:
    old, new = ((row[which] or {}).get("version", "") for which in ("old", "new"))
    return shapes.VersionRow(
        version=new,
        previous=old,
        change="deleted" if not new else "changed" if old else "made",
        at=row["at"],
        by=row["actor"],
        reason=row["reason"],
        kept=row["kept"],
        live=bool(new) and new == live,
    )


def _difference(old: Bundle | None, new: Bundle | None) -> shapes.RuleDifference:
    found: Comparison = compare(old, new)
    changed = [shapes.ChangedRule(one.rule, list(one.keys), one.came, one.went) for one in found.changed]
    return shapes.RuleDifference(list(found.added), list(found.removed), changed)


def _replayed(name: str, version: str, told: Replay) -> shapes.ReplayAnswer:
    rows = [
        shapes.ReplayRow(
            word_of(difference),
            count,
            difference.rule_now,
            difference.rule_before,
            [shapes.Example(str(said.id), mask(said.destination)) for said, _ in told.examples[difference]],
        )
        for difference, count in told.differences.most_common()
    ]
    before, now = ({end: told.verdicts[which, end] for end in _ENDS} for which in ("before", "now"))
    return shapes.ReplayAnswer(name, version, told.judged, told.differences.total(), told.incomplete, before, now, rows)
