"""A rule set, compiled: immutable, named by the hash of what it was made of, and proved before it judges anything.

A bundle holds the set's files as they are stored: TOML and word lists as text, lists of numbers as keyed hashes. `compile_set`
makes it a RuleSet: validated by the engines themselves, each rule shown to find the texts that it says it must, and the set to
leave its harmless ones alone. All of it may run in a thread; nothing is changed after.

Promises: a bundle with any fault raises PolicyFault with all of them and becomes nothing.
Must never: read a file, know an account.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from smsgw.policy.caps import Caps
from smsgw.policy.engines import Engines, never
from smsgw.policy.file import NUMBER_LISTS, PolicyFault, PolicyFile, Source, merged
from smsgw.policy.file import Pattern as PatternTable
from smsgw.policy.file import Template as TemplateTable
from smsgw.policy.file import Terms as TermsTable
from smsgw.policy.keywords import Wish, forms_of
from smsgw.policy.kind_words import KindWords, is_latin
from smsgw.policy.literals import required
from smsgw.policy.matcher import EngineFailed, Patterns, Term, Terms
from smsgw.policy.normal import HAN_LEAST_N2, LATIN_LEAST_N2, n1, n2, warm
from smsgw.policy.numbers import NumberSet, number_faults, pack
from smsgw.policy.senders import Replacement, replacements_of
from smsgw.policy.signature import Filing
from smsgw.policy.syllables import MOST_SPELLINGS, spelled
from smsgw.policy.templates import Template, Templates, expression
from smsgw.policy.verdict import Action
from smsgw.policy.way_out import WayOut
from smsgw.spans import is_zone

MAX_TERMS: Final = 200_000
MAX_PATTERNS: Final = 2_000
MAX_TEMPLATES: Final = 20_000
MAX_INJECTED: Final = 254
_MINUTES: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
ACTIONS: Final[Mapping[str, Action]] = {"reject": Action.REJECT, "hold": Action.HOLD, "flag": Action.FLAG}


class Bundle(msgspec.Struct, frozen=True):
    """What a set is made of, as it is stored: (name, text) of TOML files, lists of words, packed lists of numbers in base64."""

    sources: list[tuple[str, str]]
    words: dict[str, str] = {}
    numbers: dict[str, str] = {}

    def encode(self) -> bytes:
        """Return it as octets; the same files give the same ones."""
        return msgspec.json.encode(self, order="deterministic")

    @property
    def version(self) -> str:
        """Return the set's version: the SHA-256 of its octets."""
        return sha256(self.encode()).hexdigest()


def decode_bundle(octets: bytes) -> Bundle:
    """Return a bundle from its octets. Raises msgspec.DecodeError."""
    return msgspec.json.decode(octets, type=Bundle)


Read = Callable[[str, str], str]
"""(name of a TOML file, name of a list in it or "") → its text. Raises OSError, UnicodeDecodeError."""


def make_bundle(names: Iterable[str], read: Read, key: bytes) -> Bundle:
    """Gather the files of a set. Raises PolicyFault, and what `read` raises for a TOML file."""
    sources = [Source(name, read(name, "")) for name in names]
    merged(sources)  # all sources sound, or a PolicyFault with everything
    errors: list[str] = []
    bundle = gather(sources, read, key, errors)
    if errors:
        raise PolicyFault(errors)
    return bundle


def gather(sources: Sequence[Source], read: Read, key: bytes, errors: list[str]) -> Bundle:
    """Return a bundle of these files and the lists that they name; what is wrong with a list is added to `errors`."""
    words: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for source in sources:
        table, places = merged([source], [])
        wanted = [(one.file, source.at("terms", source.place("terms", at), "file")) for at, one in enumerate(table.terms)]
        wanted += [(name, source.at("", 0, "harmless")) for name in table.harmless]
        for name, where in wanted:
            if name:
                _gather(words, (source.name, name), where, read, errors)
        listed = [("recipient", 0, getattr(table.recipient, kind)) for kind in NUMBER_LISTS if table.recipient is not None]
        listed += [("cap", at, cap.exempt) for at, cap in enumerate(table.cap)]
        for kind, at, name in listed:
            texts: dict[str, str] = {}
            if name and _gather(texts, (source.name, name), places[kind, at], read, errors):
                faults = number_faults(texts[name])
                errors += [f"{name}:{line}: {what}" for line, what in faults]
                numbers[name] = "" if faults else b64encode(pack(key, texts[name])).decode()
    return Bundle([(source.name, source.text) for source in sources], words, numbers)


def _gather(texts: dict[str, str], named: tuple[str, str], where: str, read: Read, errors: list[str]) -> bool:
    name = named[1]
    try:
        texts[name] = read(*named)
    except (OSError, UnicodeDecodeError) as error:
        errors.append(f"{where}: {name} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")
        return False
    return True


class Rule(NamedTuple):
    """What a term or a pattern belongs to."""

    id: str
    action: Action
    shadow: bool


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A set that judges. `table` holds the rules that need no engine; the rest is compiled.

    `patterns_n1` are asked of texts in which `terms_n1` has seen one of their words (`literals`), `patterns_rest` of every text.
    """

    name: str
    version: str
    table: PolicyFile
    shadow: bool = False
    terms_n1: Terms | None = None
    terms_n2: Terms | None = None
    term_rules: tuple[Rule, ...] = ()
    patterns_n1: Patterns | None = None
    patterns_rest: Patterns | None = None
    patterns_text: Patterns | None = None
    pattern_rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    templates: Templates | None = None
    category_words: KindWords | None = None
    filed: Mapping[str, tuple[Filing, ...]] = field(default_factory=dict)
    numbers: Mapping[str, NumberSet] = field(default_factory=dict)
    ways_out: tuple[WayOut, ...] = ()
    keywords: Mapping[str, Wish] = field(default_factory=dict)
    hours: tuple[tuple[int, int], ...] = ()
    caps: Caps | None = None
    tlv_patterns: tuple[Patterns | None, ...] = ()
    injected: Mapping[int, bytes] = field(default_factory=dict)
    replacements: Mapping[str, Replacement] = field(default_factory=dict)
    size: Mapping[str, int] = field(default_factory=dict)
    engines: Engines = field(default_factory=Engines)
    sources: tuple[Source, ...] = ()

    def check(self) -> None:
        """Ask every engine for its canary. Raises EngineFailed."""
        patterns = self.patterns_n1, self.patterns_rest, self.patterns_text
        for engine in (self.terms_n1, self.terms_n2, *patterns, self.templates, self.category_words):
            if engine is not None:
                engine.check()


def lines_of(text: str) -> list[str]:
    """Return the entries of a plain list: one a line, # begins a comment."""
    return [entry for line in text.splitlines() if (entry := line.partition("#")[0].strip())]


def compile_set(name: str, bundle: Bundle, key: bytes, before: RuleSet | None = None, rest: Callable[[], None] = never) -> RuleSet:
    """Compile a set and prove it on its own texts. Raises PolicyFault, EngineFailed.

    What `before` has that is the same is taken over: files as they were read, engines as they were built. `rest` is called between
    steps that cost something.
    """
    from smsgw.policy.selftest import prove  # it judges, and so needs all the rules

    warm()
    read = {(source.name, source.text): source for source in before.sources} if before is not None else {}
    sources = [read.get(source) or Source(*source) for source in bundle.sources]
    table, places = merged(sources)
    rest()
    engines = Engines(before.engines if before is not None else None, rest)
    making = _Making(table, places, bundle, engines)
    try:
        parts = making.parts(key)
    except EngineFailed:
        if before is None:
            raise
        return compile_set(name, bundle, key, None, rest)  # an engine that has broken is not taken over: another version mends it
    if making.errors:
        raise PolicyFault(making.errors)
    shadow = table.mode == "shadow"
    caps = Caps(table.cap, table.zone, key, parts["numbers"], shadow=shadow) if table.cap else None
    parts |= {"engines": engines, "sources": tuple(sources)}
    made = RuleSet(name=name, version=bundle.version, table=table, shadow=shadow, caps=caps, **parts)
    faults = prove(made, bundle, places, rest)
    engines.settle()
    if faults:
        raise PolicyFault(faults)
    return made


class _Making:
    """A set while it is made: its tables, where each begins, and every error so far."""

    def __init__(self, table: PolicyFile, places: Mapping[tuple[str, int], str], bundle: Bundle, engines: Engines) -> None:
        self.table = table
        self.bundle = bundle
        self.engines = engines
        self.errors: list[str] = []
        self.faulty: set[tuple[str, int]] = set()
        self._places = places

    def parts(self, key: bytes) -> dict[str, Any]:
        """Return the compiled parts by the names of RuleSet's fields."""
        table = self.table
        self._ids()
        self._caps()
        terms = self._terms()
        patterns = self._patterns()
        templates = self._templates()
        words = [
            (category, word) for category, listed in (table.category.words if table.category else {}).items() for word in listed
        ]
        filed: dict[str, tuple[Filing, ...]] = {}
        for one in table.signature.filed if table.signature is not None else []:
            filing = Filing(tuple(one.numbers), frozenset(one.carriers), one.status == "approved")
            filed[one.signature] = (*filed.get(one.signature, ()), filing)
        return {
            **terms,
            **patterns,
            "templates": Templates(templates, self.engines) if templates and not self.errors else None,
            "category_words": KindWords(words, self.engines) if words else None,
            "filed": filed,
            "numbers": {name: NumberSet(key, b64decode(packed)) for name, packed in self.bundle.numbers.items()},
            "ways_out": tuple(WayOut(one.words) for one in table.opt_out),
            "keywords": self._keywords(),
            "hours": tuple(self._hours(at) for at in range(len(table.hours))),
            "tlv_patterns": (patterns_of := tuple(self._tlv(at) for at in range(len(table.tlv)))),
            "injected": self._injected(templates, patterns_of),
            "replacements": self._replacements(),
            "size": {
                "terms": sum(len(found) for found in (terms["terms_n1"], terms["terms_n2"]) if found is not None),
                "patterns": len(table.pattern),
                "templates": len(templates),
            },
        }

    def _fault(self, kind: str, at: int, what: str) -> None:
        self.faulty.add((kind, at))
        self.errors.append(f"{self._places.get((kind, at), kind)}: {what}")

    def _ids(self) -> None:
        """Each rule has an id of its own, and texts that it must find."""
        kinds: dict[str, Sequence[TermsTable | PatternTable | TemplateTable]] = {
            "terms": self.table.terms,
            "pattern": self.table.pattern,
            "template": self.table.template,
        }
        for kind, rules in kinds.items():
            seen: set[str] = set()
            for at, rule in enumerate(rules):
                if rule.id in seen:
                    self._fault(kind, at, f"{kind} {rule.id!r} is given twice")
                seen.add(rule.id)
                if not rule.must:
                    self._fault(kind, at, f"{kind} {rule.id!r}: must = [...] names no text that it has to find")

    def _caps(self) -> None:
        """Each cap has an id of its own, and their zone is one."""
        seen: set[str] = set()
        for at, cap in enumerate(self.table.cap):
            if cap.id in seen:
                self._fault("cap", at, f"cap {cap.id!r} is given twice")
            seen.add(cap.id)
        if not is_zone(self.table.zone):
            self.errors.append(f"{self._places.get(('zone', 0), 'zone')}: zone {self.table.zone!r} is none: such as Asia/Shanghai")

    def _terms(self) -> dict[str, Any]:
        forms: dict[str, list[Term]] = {"n1": [], "n2": []}
        exceptions: dict[str, list[Term]] = {"n1": [], "n2": []}
        spelt: dict[str, list[Term]] = {"n1": [], "n2": []}
        spellings = 0
        for at, rule in enumerate(self.table.terms):
            words = [*rule.words, *lines_of(self.bundle.words.get(rule.file, ""))]
            if not words:
                self._fault("terms", at, f"terms {rule.id!r} has no word")
            excepted = [_in_form(word, rule.form) for word in rule.exceptions]
            if not all(excepted):
                self._fault("terms", at, f"terms {rule.id!r} has an exception that is empty once it is in the form {rule.form}")
            exceptions[rule.form] += (Term(word, at) for word in excepted)
            for word in words:
                text = _in_form(word, rule.form)
                what = _too_short(text) if rule.form == "n2" else "" if text.strip() else "is empty"
                if what:
                    self._fault("terms", at, f"terms {rule.id!r}: {word!r} {what}")
                self.engines.rest()
                forms[rule.form].append(Term(text, at, not rule.inside and rule.form == "n1" and is_latin(text)))
                if rule.pinyin and spellings <= MOST_SPELLINGS:
                    made = _spellings(text, at, rule.form)
                    spelt[rule.form] += made
                    spellings += len(made)
            if rule.pinyin and spellings > MOST_SPELLINGS:
                self._fault("terms", at, f"terms {rule.id!r}: pinyin makes more than {MOST_SPELLINGS} spellings of the set's words")
        count = sum(map(len, forms.values()))
        if count > MAX_TERMS:
            self._fault("terms", 0, f"{count} terms, more than {MAX_TERMS}")
        if self.errors:
            return {"terms_n1": None, "terms_n2": None, "term_rules": ()}
        marks = [word for rule in self.table.pattern if rule.on == "n1" for word in required(rule.expression)]
        n1_terms = Terms(forms["n1"], exceptions["n1"], marks, self.engines, spelt["n1"]) if forms["n1"] or marks else None
        return {
            "terms_n1": n1_terms,
            "terms_n2": Terms(forms["n2"], exceptions["n2"], (), self.engines, spelt["n2"]) if forms["n2"] else None,
            "term_rules": tuple(Rule(f"terms.{rule.id}", ACTIONS[rule.action], rule.mode == "shadow") for rule in self.table.terms),
        }

    def _patterns(self) -> dict[str, Any]:
        found: dict[str, list[str]] = {"n1": [], "rest": [], "text": []}
        rules: dict[str, list[Rule]] = {on: [] for on in found}
        if len(self.table.pattern) > MAX_PATTERNS:
            self._fault("pattern", 0, f"{len(self.table.pattern)} patterns, more than {MAX_PATTERNS}")
        for at, rule in enumerate(self.table.pattern):
            fault = self.engines.fault(rule.expression)
            if fault:
                self._fault("pattern", at, f"pattern {rule.id!r}: RE2 refuses it: {fault}")
            on = "rest" if rule.on == "n1" and not required(rule.expression) else rule.on
            found[on].append(rule.expression)
            rules[on].append(Rule(f"pattern.{rule.id}", ACTIONS[rule.action], rule.mode == "shadow"))
        return {
            **{
                f"patterns_{on}": Patterns(one, engines=self.engines) if one and not self.errors else None
                for on, one in found.items()
            },
            "pattern_rules": {on: tuple(listed) for on, listed in rules.items()},
        }

    def _templates(self) -> list[Template]:
        made = []
        if len(self.table.template) > MAX_TEMPLATES:
            self._fault("template", 0, f"{len(self.table.template)} templates, more than {MAX_TEMPLATES}")
        for at, one in enumerate(self.table.template):
            given = tuple((_tag(name), value.encode("latin-1", "replace")) for name, value in one.inject.items())
            template = Template(one.id, one.text, one.signature, one.category, tuple(one.domains), given)
            try:
                expression(template)
            except ValueError as error:
                self._fault("template", at, f"template {one.id!r}: {error}")
            made.append(template)
        return made

    def _keywords(self) -> dict[str, Wish]:
        forms, faults = forms_of(self.table.keyword)
        for at, what in faults:
            self._fault("keyword", at, what)
        return forms

    def _replacements(self) -> Mapping[str, Replacement]:
        found, faults = replacements_of(self.table.sender)
        for what in faults:
            self._fault("sender", 0, what)
        return found

    def _hours(self, at: int) -> tuple[int, int]:
        rule = self.table.hours[at]
        found = [_MINUTES.fullmatch(text) for text in (rule.begin, rule.end)]
        if None in found:
            self._fault("hours", at, f'hours from {rule.begin!r} to {rule.end!r}: times are written "08:00", up to "24:00"')
            return 0, 0
        begin, end = (int(match[1]) * 60 + int(match[2]) for match in found if match is not None)
        if begin >= end:
            self._fault("hours", at, f"hours from {rule.begin} to {rule.end} are none: the first is not before the second")
        return begin, end

    def _tlv(self, at: int) -> Patterns | None:
        rule = self.table.tlv[at]
        if not 0 < rule.tag < 0x10000:
            self._fault("tlv", at, f"tlv tag {rule.tag} is none: 1 to 0xFFFF")
        fault = self.engines.fault(rule.pattern) if rule.pattern else ""
        if fault:
            self._fault("tlv", at, f"tlv 0x{rule.tag:04X}: RE2 refuses its pattern: {fault}")
        return Patterns([rule.pattern], whole=True, engines=self.engines) if rule.pattern and not fault else None

    def _injected(self, templates: Sequence[Template], patterns: Sequence[Patterns | None]) -> dict[int, bytes]:
        """Return what is put where a TLV is missing, by tag; each value, those of templates too, must be what its rule wants."""
        rules = self.table.tlv
        found = {rule.tag: rule.inject.encode("latin-1", "replace") for rule in rules if rule.inject}
        given = [("tlv", at, rule.tag, found[rule.tag]) for at, rule in enumerate(rules) if rule.inject]
        given += [("template", at, tag, value) for at, one in enumerate(templates) for tag, value in one.inject]
        for kind, at, tag, value in given:
            wanted = [one for rule, one in zip(rules, patterns, strict=True) if rule.tag == tag]
            told = value.rstrip(b"\0").decode("latin-1")
            if not wanted:
                self._fault(kind, at, f"inject: there is no [[tlv]] with the tag 0x{tag:04X}")
            elif len(value) > MAX_INJECTED or any(one is not None and not one.find(told) for one in wanted):
                self._fault(
                    kind, at, f"inject for 0x{tag:04X}: {told!r} is not what its pattern wants, or longer than {MAX_INJECTED}"
                )
        return found


def _tag(name: str) -> int:
    """Return a tag as it is written, such as 0x1401; 0 for none."""
    return int(name, 0) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,4}|[1-9][0-9]{0,4}", name) else 0


def _in_form(word: str, form: str) -> str:
    return n2(n1(word)) if form == "n2" else n1(word)


def _spellings(text: str, at: int, form: str) -> list[Term]:
    """Return the spellings of a word in letters; one of letters alone has to stand alone, which n2 cannot tell."""
    return [Term(one, at, one.isascii()) for one in spelled(text) if form == "n1" or not one.isascii()]


def _too_short(text: str) -> str:
    least = LATIN_LEAST_N2 if text.isascii() else HAN_LEAST_N2
    return f"is too short for form n2: at least {least} characters, or it is found across words" if len(text) < least else ""
