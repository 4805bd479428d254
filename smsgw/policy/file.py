"""The files of a rule set: TOML tables with their keys and defaults; every error at once, with file, line and key.

A set is one or more TOML files, read as one: tables of a list add up, a single table may stand in one of them only. Lists of words
and of numbers lie in plain files beside them, one entry a line, # begins a comment.

Never here: what a rule does (`ruleset` compiles), reading files (the text of each is passed in).
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from smsgw.policy.dotted import MOST_PARTS, line_of_long_key
from smsgw.policy.shape import Misshapen, shaped

Mode = Literal["enforce", "shadow"]
Act = Literal["reject", "hold", "flag"]
Fail = Literal["hold", "reject", "pass"]
Category = Literal["otp", "notice", "marketing"]
CATEGORIES: Final[tuple[Category, ...]] = ("otp", "notice", "marketing")
MOST_CAPPED: Final = 1_000
"""The highest limit of a cap: each message within it is remembered."""


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table of a file: a key that nobody knows is an error."""


class Text(_Table, frozen=True):
    """How octets are read. `alphabet`: what data_coding 0 means to this account; `parts`: parts of a long message.

    `missing`: what becomes of parts that nothing speaks against, but whose text never became whole.
    """

    alphabet: Literal["gsm7", "gsm7_packed", "ascii", "latin1", "utf8"] = "gsm7"
    unreadable: Literal["reject", "hold", "flag", "pass"] = "hold"
    parts: Literal["reject", "hold", "each"] = "hold"
    missing: Literal["refuse", "release"] = "refuse"
    mode: Mode = "enforce"


class Tlv(_Table, frozen=True):
    """A TLV that must be there. `pattern`: what its value, as text without trailing NULs, must be.

    `inject`: what is put there where it is missing, octet for octet: the one change that a policy makes, and only if it says so.
    """

    tag: int
    pattern: str = ""
    inject: str = ""
    id: str = ""
    mode: Mode = "enforce"


class Country(_Table, frozen=True):
    """What a sender is worth where the recipient is: a name, and a number. `replace`: what is not `registered` gives way.

    `replacement`: the sender that takes its place there, with its `ton` and `npi` (None: 5 and 0 for a name, 1 and 1 for a number).
    """

    country: str
    alphanumeric: Literal["allow", "registered", "replace", "refuse"] = "registered"
    numeric: Literal["allow", "replace", "refuse"] = "allow"
    replacement: str = ""
    ton: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    npi: Annotated[int, msgspec.Meta(ge=0, le=18)] | None = None


class Sender(_Table, frozen=True):
    """Who a message may say it is from. `owned`: numbers of the account, or extensions of one."""

    owned: bool = False
    alphanumeric: Literal["allow", "registered", "refuse"] = "allow"
    registered: list[str] = []
    country: list[Country] = []
    mode: Mode = "enforce"


class Recipient(_Table, frozen=True):
    """Who may get it. The four lists are files of numbers; `exempt`: numbers that no block list stops."""

    valid: bool = True
    countries: list[str] = []
    prefixes: list[str] = []
    scope: str = ""
    block: str = ""
    opt_out: str = ""
    exempt: str = ""
    mode: Mode = "enforce"


class Categories(_Table, frozen=True):
    """What kind of message it is: by template, by sender, by words; else `default`. Only those `allowed` go."""

    allowed: tuple[Category, ...] = CATEGORIES
    default: Category = "notice"
    sender: dict[str, Category] = {}
    words: dict[Category, list[str]] = {}
    mode: Mode = "enforce"


class Hours(_Table, frozen=True):
    """When messages of some categories may go, in each zone that the recipient may be in; `countries`: to where; none: anywhere.

    `action`: what becomes of one at another time: refused, or kept until then.
    """

    begin: str
    end: str
    categories: tuple[Category, ...] = ("marketing",)
    countries: list[str] = []
    action: Literal["reject", "defer"] = "reject"
    id: str = ""
    mode: Mode = "enforce"


class Filed(_Table, frozen=True):
    """A signature that is filed: for these numbers and their extensions, with these carriers; none given: any.

    One signature may have several, such as one for each carrier. `status`: only what is approved may be sent by.
    """

    signature: str
    numbers: list[str] = []
    carriers: list[str] = []
    status: Literal["draft", "filed", "approved", "rejected", "expired"] = "approved"


class Signature(_Table, frozen=True):
    """The 【signature】. `lengths`: of its name; `place`: where it has to stand."""

    required: bool = True
    place: Literal["front", "any"] = "front"
    lengths: tuple[int, int] = (2, 18)
    only_filed: bool = False
    filed: list[Filed] = []
    mode: Mode = "enforce"


class Templates(_Table, frozen=True):
    """`only`: what fits no template does not go; `action`: what is done then. Which ones there are say [[template]]."""

    only: bool = False
    action: Act = "reject"
    mode: Mode = "enforce"


class Template(_Table, frozen=True):
    """A template; `must`: texts, signature included, that it must fit; `inject`: TLVs of its own, by tag ("0x1401")."""

    id: str
    text: str
    must: list[str]
    signature: str = ""
    category: Literal["", "otp", "notice", "marketing"] = ""
    domains: list[str] = []
    inject: dict[str, str] = {}


class Terms(_Table, frozen=True):
    """Words. `form`: n1, or n2 with anything between letters. `inside`: Latin words in others. `pinyin`: a syllable in letters."""

    id: str
    must: list[str]
    words: list[str] = []
    file: str = ""
    exceptions: list[str] = []
    form: Literal["n1", "n2"] = "n1"
    inside: bool = False
    pinyin: bool = False
    action: Act = "reject"
    mode: Mode = "enforce"


class Pattern(_Table, frozen=True):
    """An expression of RE2. `on`: the first normal form (small letters, simplified), or the text as it is."""

    id: str
    expression: str
    must: list[str]
    on: Literal["n1", "text"] = "n1"
    action: Act = "reject"
    mode: Mode = "enforce"


class Opposed(_Table, frozen=True):
    """Links, or phone numbers, in a text: all but those that are allowed. `categories`: of which messages, none: of all."""

    allowed: list[str] = []
    categories: list[Category] = []
    action: Act = "reject"
    mode: Mode = "enforce"


class OptOut(_Table, frozen=True):
    """What messages of some categories must end with, so that a reader knows how to refuse: one of these words."""

    words: list[str]
    categories: tuple[Category, ...] = ("marketing",)
    countries: list[str] = []
    action: Act = "reject"
    mode: Mode = "enforce"


class Cap(_Table, frozen=True):
    """How many messages one recipient gets, at most: from whom (`scope`), of which `categories` (none: of all), in which window.

    `window`: natural (of the set's `zone`) or rolling. `exempt`: a file of numbers that it does not count.
    """

    id: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_CAPPED)]
    scope: Literal["signature", "template", "account", "platform"] = "account"
    categories: list[Category] = []
    window: Literal["natural", "rolling"] = "rolling"
    span: Literal["minute", "hour", "day", "month"] = "day"
    exempt: str = ""
    action: Literal["reject", "flag"] = "reject"
    mode: Mode = "enforce"


Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Pumping(_Table, frozen=True):
    """Signs that messages are sent for what they earn, looked for in every so many `attempts`. A share of 0: not looked for.

    `sequential`: recipients with another one next to them. `prefix`, `country`: of one prefix (a number without its last four
    digits), or country, `times` its share before, once `history` blocks of attempts are known. `delivery`: the least share that
    has to be delivered. What is done goes up by one step at a time, every `step_s` at most, to `up_to`; `rate` is that of limit, in
    parts per second, and limit and freeze last `hours` (0: until somebody lifts them).
    """

    attempts: Annotated[int, msgspec.Meta(ge=20, le=1_000)] = 100
    sequential: Share = 0.3
    prefix: Share = 0.5
    country: Share = 0.3
    delivery: Share = 0.2
    times: Annotated[float, msgspec.Meta(ge=1)] = 4.0
    history: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    up_to: Literal["alert", "limit", "freeze"] = "alert"
    step_s: Annotated[int, msgspec.Meta(ge=1)] = 600
    rate: Annotated[int, msgspec.Meta(ge=1)] = 1
    hours: Annotated[int, msgspec.Meta(ge=0)] = 24
    mode: Mode = "enforce"


class Keyword(_Table, frozen=True):
    """What a handset sends to refuse marketing, to have it again, or to ask for help: one of `words` and nothing else.

    `before` and `after`: what may stand around it, as in 回复TD退订. Capitals, width, spaces and punctuation do not count.
    `reply`: the text that answers it, one part; "": nothing does.
    """

    words: list[str]
    means: Literal["refuse", "resume", "help"] = "refuse"
    reply: str = ""
    before: list[str] = []
    after: list[str] = []


class Consent(_Table, frozen=True):
    """Whether a recipient wants marketing. `refusal`: what a keyword refuses; `required`: only to whom consented, by the record."""

    refusal: Literal["account", "signature", "number"] = "account"
    required: bool = False
    mode: Mode = "enforce"


class PolicyFile(_Table, frozen=True):
    """All tables of a set. `harmless`: files of texts, one a line, of which it may neither refuse nor hold one.

    `zone`: the time zone of its natural windows.
    """

    mode: Mode = "enforce"
    fail: Fail = "hold"
    zone: str = "UTC"
    harmless: list[str] = []
    text: Text = Text()
    tlv: list[Tlv] = []
    sender: Sender | None = None
    recipient: Recipient | None = None
    category: Categories | None = None
    hours: list[Hours] = []
    signature: Signature | None = None
    templates: Templates | None = None
    template: list[Template] = []
    terms: list[Terms] = []
    pattern: list[Pattern] = []
    links: Opposed | None = None
    phones: Opposed | None = None
    opt_out: list[OptOut] = []
    cap: list[Cap] = []
    pumping: Pumping | None = None
    keyword: list[Keyword] = []
    consent: Consent | None = None


NUMBER_LISTS: Final = ("scope", "block", "opt_out", "exempt")
_LISTS: Final = ("harmless", "tlv", "hours", "template", "terms", "pattern", "opt_out", "keyword", "cap")
_HEADER: Final = re.compile(r"\s*\[\[?\s*([\w.]+)\s*\]\]?\s*(?:#.*)?$")


class PolicyFault(Exception):
    """A rule set is wrong; `errors` says everything that is, each with file and line."""

    def __init__(self, errors: list[str]) -> None:
        """Keep them."""
        super().__init__("\n".join(errors))
        self.errors = errors


class Source:
    """One TOML file: its name, its text, and where in it a table begins."""

    def __init__(self, name: str, text: str) -> None:
        """Take both."""
        self.name = name
        self.text = text
        self.read: Read | None = None
        self._lines = text.splitlines()
        self._headers: dict[str, list[int]] = {}
        for number, line in enumerate(self._lines, 1):
            header = _HEADER.match(line)
            if header is not None:
                self._headers.setdefault(header[1], []).append(number)

    def at(self, table: str, index: int = 0, key: str = "") -> str:
        """Return "file:line" of a table, or of a key in it."""
        lines = self._lines
        found = self._headers.get(table, [])
        first = found[index] if index < len(found) else 0
        if key:
            for number in range(first, len(lines)):
                if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
                    return f"{self.name}:{number + 1}"
                if lines[number].lstrip().startswith("["):
                    break
        if not first and not table:
            return self.name
        return f"{self.name}:{first}" if first else self.name

    def headers(self, table: str) -> list[int]:
        """Return the lines on which tables of a name begin."""
        return self._headers.get(table, [])

    def place(self, table: str, index: int) -> int:
        """Return which table of the file it is that is number `index` of those without a fault."""
        kept = self.read.kept.get(table) if self.read is not None else None
        return kept[index] if kept is not None else index


class Read(NamedTuple):
    """One file as read: what is sound of it, the names of what stands in it, which tables of a list are sound, and its faults."""

    table: PolicyFile
    given: frozenset[str]
    kept: dict[str, list[int]]
    faults: list[str]


def parse(source: Source) -> PolicyFile:
    """Read one file. Raises PolicyFault."""
    read = _read(source)
    if read.faults:
        raise PolicyFault(read.faults)
    return read.table


def _read(source: Source) -> Read:
    """Read one file, once."""
    if source.read is None:
        source.read = _parsed(source)
    return source.read


def _parsed(source: Source) -> Read:
    if line := line_of_long_key(source.text):
        return Read(PolicyFile(), frozenset(), {}, [f"{source.name}:{line}: a key has more than {MOST_PARTS} parts (a.b.c…)"])
    try:
        raw = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        return Read(PolicyFile(), frozenset(), {}, [f"{source.name}: {error}"])
    except RecursionError:
        return Read(PolicyFile(), frozenset(), {}, [f"{source.name}: its lists or tables are nested too deeply"])
    try:
        return Read(msgspec.convert(raw, PolicyFile), frozenset(raw), {}, [])
    except msgspec.ValidationError:
        found = shaped(raw, PolicyFile)
        return Read(PolicyFile(**found.values), frozenset(found.values), found.kept, [_told(source, one) for one in found.faults])


def _told(source: Source, fault: Misshapen) -> str:
    """Say what is misshapen, with the line of the table or key."""
    parts = re.match(r"(?P<table>\w*)(?:\[(?P<index>\d+)\])?(?:\.(?P<key>\w+))?", fault.path)
    assert parts is not None
    table, index, key = parts["table"], int(parts["index"] or 0), parts["key"] or ""
    unknown = re.search(r"unknown field `(\w+)`", fault.what)
    if unknown:
        key = unknown[1]
    inner = re.fullmatch(r"(?P<table>\w+\.\w+)\[(?P<index>\d+)\](?:\.(?P<key>\w+))?", fault.path)
    if inner is not None:
        table, index, key = inner["table"], int(inner["index"]), unknown[1] if unknown else inner["key"] or ""
    within = table.partition(".")[0] in msgspec_tables()
    where = source.at(table, index, key) if within else source.at("", 0, key or table)
    return f"{where}: {fault.path or 'the file'}: {fault.what}"


def msgspec_tables() -> frozenset[str]:
    """Return the names of all tables."""
    return frozenset(name for name in PolicyFile.__struct_fields__ if name not in {"mode", "fail", "zone", "harmless"})


def merged(sources: list[Source], faults: list[str] | None = None) -> tuple[PolicyFile, dict[tuple[str, int], str]]:
    """Read files as one. Also returns "file:line" of each (table, index). Raises PolicyFault.

    With `faults` it raises nothing: faults are added there, and what is sound is read.
    """
    errors: list[str] = []
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    places: dict[tuple[str, int], str] = {}
    for source in sources:
        one, given, kept, wrong = _read(source)
        errors += wrong
        for name in sorted(given):
            value = getattr(one, name)
            if name in _LISTS:
                before = len(values.setdefault(name, []))
                values[name] = [*values[name], *value]
                indexes = kept.get(name, range(len(value)))
                places |= {(name, before + at): source.at(name, index) for at, index in enumerate(indexes)}
            elif name in values:
                errors.append(f"{source.at(name)}: {name} is given twice: {origin[name]} is the first")
            else:
                where = source.at(name) if isinstance(value, _Table) else source.at("", 0, name)
                values[name], origin[name] = value, where
                places[name, 0] = origin[name]
    if faults is not None:
        faults += errors
    elif errors:
        raise PolicyFault(errors)
    return PolicyFile(**values), places
