"""What is judged: a message with what the rules want to know of it. What costs something is worked out when it is first asked for.

Never here: a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from smsgw.model import Account
from smsgw.numbering.plan import Place, the_plan
from smsgw.policy.beside import Written, beside
from smsgw.policy.file import Categories
from smsgw.policy.glance import Look
from smsgw.policy.handset import Content, Shown, content_of, plainly, shown
from smsgw.policy.marks import NO_MARKS, Marks
from smsgw.policy.matcher import Scan
from smsgw.policy.normal import n1, n2
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.senders import Replacement
from smsgw.policy.signature import Signed, signed
from smsgw.policy.templates import Template
from smsgw.smpp import const
from smsgw.smpp.clock import parse_time
from smsgw.smpp.udh import Concat

Owner = Callable[[str], Account | None]
DEFAULT: Final = "notice"
"""What a message is where nothing says what."""
_UNKNOWN: Final = Template("", "")
_new = tuple.__new__


class Submission:
    """One message before the rules. `pdu`: all its octets, header included; `now`: Unix seconds.

    `joined`: the contents of all parts of a long text in their order, to be read as one; `pdu` is that of the first.
    `schedules`: the times that the tenant wrote on it, or on each part ("" for none).
    """

    __slots__ = (
        "_beside",
        "_category",
        "_command",
        "_content",
        "_contents",
        "_forms",
        "_place",
        "_scans",
        "_signature_seen",
        "_template",
        "_version",
        "account",
        "added",
        "destination",
        "marks",
        "now",
        "owner",
        "part",
        "pdu",
        "plain",
        "policy",
        "replacement",
        "schedules",
        "shown",
        "source",
    )

    def __init__(
        self,
        policy: RuleSet,
        account: Account,
        source: str,
        destination: str,
        pdu: bytes,
        *,
        now: float,
        owner: Owner,
        command: int = const.SUBMIT_SM,
        version: int = const.V50,
        joined: Sequence[Content] = (),
        marks: Marks = NO_MARKS,
        look: Look | None = None,
    ) -> None:
        """Read the content. `marks`: what is on record about recipients; `look`: what was seen of it, if it is plain."""
        self.policy = policy
        self.account = account
        self.source = source
        self.destination = destination
        self.pdu = pdu
        self.now = now
        self.marks = marks
        self.owner = owner
        self.added: dict[int, bytes] = {}
        self.replacement: Replacement | None = None
        self._command = command
        self._version = version
        alphabet = policy.table.text.alphabet
        if look is not None:
            text: str | None = look[0]
        else:
            text = plainly(pdu, source, destination, alphabet) if command == const.SUBMIT_SM and not joined else None
        self.plain = text is not None
        self.part: Concat | None = None
        if text is not None:
            self._content: Content | None = None
            self._contents: Sequence[Content] = ()
            self.schedules: tuple[bytes, ...] = ()
            self.shown: Shown = _new(Shown, (text, (), True))
        else:
            content = self._content = joined[0] if joined else content_of(pdu, command, version)
            contents = self._contents = joined or (content,)
            self.part = None if joined else content.part
            self.schedules = tuple(one.schedule for one in contents)
            self.shown = shown(contents, alphabet)
        self._forms: tuple[tuple[str, str], ...] | None = None if look is None else ((look[0], look[1]),)
        self._scans: tuple[Scan, ...] | None = None if look is None else (look[2],)
        self._signature_seen: Signed | None = None
        self._template: Template | None = _UNKNOWN
        self._category = ""
        self._place: Place | None = None
        self._beside: tuple[Written, ...] | None = None

    @property
    def content(self) -> Content:
        """The user data, taken out of the PDU."""
        found = self._content
        if found is None:
            found = self._content = content_of(self.pdu, self._command, self._version)
        return found

    @property
    def first_forms(self) -> tuple[tuple[str, str], ...]:
        """(text, N1 of it) of every reading, what the coding says first."""
        forms = self._forms
        if forms is None:
            text, others, _ = self.shown
            forms = ((text, n1(text)),) if not others else tuple((one, n1(one)) for one in (text, *others))
            self._forms = forms
        return forms

    @property
    def beside(self) -> tuple[Written, ...]:
        """What it bears beside its text, all its parts counted: numbers and names that a handset shows or dials."""
        if self.plain:
            return ()
        found = self._beside
        if found is None:
            found = self._beside = beside(self._contents, self.policy.table.text.alphabet)
        return found

    @property
    def scans(self) -> tuple[Scan, ...]:
        """What the terms' engine has seen in the first form of every reading."""
        found = self._scans
        if found is None:
            engine = self.policy.terms_n1
            assert engine is not None
            forms = self.first_forms
            found = (engine.scan(forms[0][1]),) if len(forms) == 1 else tuple(engine.scan(form) for _, form in forms)
            self._scans = found
        return found

    @property
    def signed(self) -> Signed:
        """The text and its signature."""
        found = self._signature_seen
        if found is None:
            found = self._signature_seen = signed(self.shown.text)
        return found

    @property
    def template(self) -> Template | None:
        """The template that the text fits."""
        if self._template is _UNKNOWN:
            found = None
            templates = self.policy.templates
            if templates is not None and templates.may_fit(self.shown.text):
                signature, body, _, _ = self.signed
                found = templates.find(signature, body)
            self._template = found
        return self._template

    @property
    def place(self) -> Place:
        """Where the recipient is."""
        found = self._place
        if found is None:
            found = self._place = the_plan().locate(self.marks.whole(self.destination))
        return found

    @property
    def scheduled(self) -> bool:
        """Tell whether a carrier is to keep it, or a part of it, until a time of the tenant's."""
        return any(self.schedules)

    @property
    def moments(self) -> tuple[float, ...]:
        """When it is to be delivered, Unix seconds: now, or at the time that the tenant wrote on it, or on its parts."""
        if not self.scheduled:
            return (self.now,)
        now = datetime.fromtimestamp(self.now, UTC)
        times = (parse_time(schedule, now) or now for schedule in self.schedules)  # reading has found them sound
        return tuple(max(self.now, time.timestamp()) for time in times)

    @property
    def category(self) -> str:
        """What kind of message it is: by template, by sender, by words, else the set's default; "" where the set says nothing."""
        if not self._category:
            self._category = self._categorised()
        return self._category

    def _categorised(self) -> str:
        template = self.template
        if template is not None and template.category:
            return template.category
        rules = self.policy.table.category
        if rules is None:
            return DEFAULT
        of_sender = self._of_sender(rules)
        if of_sender is not None:
            return of_sender
        words = self.policy.category_words
        if words is not None:
            told: set[str] = set()
            for _, form in self.first_forms:
                told |= words.kinds(form)
            for category in ("marketing", "otp", "notice"):  # an advertisement with a code in it is an advertisement
                if category in told:
                    return category
        return rules.default

    def _of_sender(self, rules: Categories) -> str | None:
        source = self.source.removeprefix("+")
        longest = max((prefix for prefix in rules.sender if source.startswith(prefix)), key=len, default=None)
        return rules.sender[longest] if longest is not None else None

    @property
    def category_unread(self) -> str:
        """What kind of message it is as far as its sender tells; else the set's default."""
        rules = self.policy.table.category
        return DEFAULT if rules is None else self._of_sender(rules) or rules.default

    def second_forms(self) -> tuple[str, ...]:
        """N2 of every reading."""
        forms = self.first_forms
        return (n2(forms[0][1]),) if len(forms) == 1 else tuple(n2(form) for _, form in forms)
