"""Rule sets tried beside the loop: compiled and proved, or let judge what is stored. Seconds of work, in a thread.

So many at the same time as `api.checks` and `api.replays` say, and no more: the gateway's own work goes on meanwhile.

Never here: a change; HTTP.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Final, ParamSpec, TypeVar

from smsgw.admin.api import shapes
from smsgw.admin.api.problems import Refused, faulty
from smsgw.admin.api.slots import Slots
from smsgw.config.api import Api as Settings
from smsgw.policy.check import Checked, check_set
from smsgw.policy.faults import Fault
from smsgw.policy.numbers import unpacked
from smsgw.policy.ruleset import Bundle, Read
from smsgw.policy.turns import Turns, short_turns

P = ParamSpec("P")
Done = TypeVar("Done")
MOST_FILES: Final = 200
_NAME_LENGTH: Final = 200
_SPAN: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Trying:
    """Checks and replays, within their limits."""

    def __init__(self, settings: Settings, key: bytes, refused: Counter[tuple[str, ...]]) -> None:
        """`key`: that of hashed numbers; `refused`: where it is counted that a limit was reached."""
        self._key = key
        self.checks = Slots("checks", settings.checks, refused, again_s=5)
        self.replays = Slots("replays", settings.replays, refused, again_s=30)

    async def check(self, name: str, files: Sequence[shapes.FileText], lists: Mapping[str, str]) -> Checked:
        """Compile and prove a set from the files of a body. Raises Refused for names that are none."""
        wrong = list(_misnamed(files, lists))
        if wrong:
            raise faulty(wrong)
        texts = {one.name: _plain(one.text) for one in files}
        of_lists = {listed: _plain(text) for listed, text in lists.items()}
        asked: set[str] = set()

        def read(source: str, listed: str) -> str:
            if not listed:
                return texts[source]
            asked.add(listed)
            if listed not in of_lists:
                raise FileNotFoundError(2, "it is not among the lists", listed)
            return of_lists[listed]

        checked = await beside(_checked, name, list(texts), read, self._key)
        unused = [
            Fault("no rule file names this list", listed, hint="leave it out, or name it")
            for listed in of_lists
            if listed not in asked
        ]
        if unused:
            return Checked(checked.bundle, None, (*checked.faults, *unused))
        return checked

    async def check_bundle(self, name: str, bundle: Bundle) -> Checked:
        """Compile and prove a set from what is stored of it."""
        texts, lists = dict(bundle.sources), await beside(lists_of, bundle)

        def read(source: str, listed: str) -> str:
            return lists[listed] if listed else texts[source]

        return await beside(_checked, name, list(texts), read, self._key)


def _checked(name: str, names: Iterable[str], read: Read, key: bytes) -> Checked:
    """Check a set in a thread that rests between its steps."""
    return check_set(name, names, read, key, Turns().rest)


async def beside(work: Callable[P, Done], *given: P.args, **named: P.kwargs) -> Done:
    """Do what takes long in a thread that lets the loop have its turns."""
    with short_turns():
        return await asyncio.to_thread(work, *given, **named)


def lists_of(bundle: Bundle) -> dict[str, str]:
    """Return the lists of a bundle as texts; those of numbers as keyed hashes, which a set can be made of again."""
    return {**bundle.words, **{name: unpacked(b64decode(packed)) for name, packed in bundle.numbers.items()}}


def span_of(text: str) -> timedelta:
    """Return a span such as 30m, 12h or 7d. Raises Refused."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise faulty([Fault(f"{text!r} is no span", key="since", hint="a number and s, m, h or d, such as 30m or 7d")])
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def refuse_faulty(checked: Checked) -> None:
    """Refuse a set that has a fault, with all of them."""
    if checked.made is None:
        raise faulty(checked.faults)


def outside(name: str) -> bool:
    """Tell whether a name leads out of the directory that it is written into."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def _plain(text: str) -> str:
    """Return a text as it is read from a file: with plain line ends, so that an export of it is the same to the octet."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _misnamed(files: Sequence[shapes.FileText], lists: Mapping[str, str]) -> list[Fault]:
    """Return what is wrong with the names of files."""
    faults = [] if files else [Fault("a set needs a file", key="files", hint="give its rule files in their order")]
    if len(files) + len(lists) > MOST_FILES:
        faults.append(Fault(f"{len(files) + len(lists)} files, more than {MOST_FILES}", key="files", hint="join some of them"))
    seen: set[str] = set()
    for at, name in [*enumerate(one.name for one in files), *((f"lists.{name}", name) for name in lists)]:
        key = at if isinstance(at, str) else f"files[{at}].name"
        if not name or len(name) > _NAME_LENGTH or not name.isprintable() or outside(name):
            hint = f"a path below the provisioning file, at most {_NAME_LENGTH} characters, such as policy/china.toml"
            faults.append(Fault(f"{name[:_NAME_LENGTH]!r} is no name of a file", key=key, hint=hint))
        elif (lies := name if isinstance(at, str) else str(PurePosixPath(name))) in seen:
            faults.append(Fault(f"{name} is given twice", key=key, hint="one of them"))
        else:
            seen.add(lies)
    return faults


def refused_for_relay(name: str, accounts: Sequence[str], why: str) -> Refused:
    """Return the refusal of a set that relay accounts cannot be judged by."""
    return faulty(
        [Fault(f'account {account}: policy "{name}" needs mode = "store": {why}', key="mode", hint=why) for account in accounts]
    )
