"""Keywords: does a handset refuse marketing, take that back, or ask for help? Its whole text must be a keyword, and nothing else.

"ＴＤ ", "td.", "回复R", "回T退订" and "T D" are; "TD什么时候到" and "STOP sending invoices" are not: who writes a sentence wants to
be read by a person, and the tenant gets each message as it came in any case. Texts and words are compared in the second normal form
(`normal`): width, capitals, traditional characters, look-alike letters, spaces, punctuation and what is not seen do not count.
Which words there are is data of the rule set ([[keyword]]).

Promises: any octets give an answer, never an exception of its own; a long message costs one comparison.
Must never: keep a text: what is told is the set's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from smsgw.policy.file import Keyword
from smsgw.policy.handset import content_of, shown
from smsgw.policy.normal import n1, n2
from smsgw.policy.replies import Reply, reply_of

LONGEST_OCTETS: Final = 64
"""A text with more octets is no keyword: half as many characters, a phrase such as 拒收请回复TD退订 fits."""
LONGEST_PDU: Final = 512
"""A PDU with more octets has a text too long, or nothing that we should look for in it."""
MOST_FORMS: Final = 20_000


class Wish(NamedTuple):
    """What a handset wants: `refuse`, `resume` or `help`; `word`: the keyword of the set by which it said so.

    `reply`: what the set answers; None: nothing.
    """

    means: str
    word: str
    reply: Reply | None = None


def plain(text: str) -> str:
    """Return the form in which texts and words are compared."""
    return n2(n1(text))


def forms_of(keywords: Iterable[Keyword]) -> tuple[dict[str, Wish], list[tuple[int, str]]]:
    """Return each form with what it means, and (index of the table, what is wrong)."""
    forms: dict[str, Wish] = {}
    faults = []
    tables = list(keywords)
    for at, table in enumerate(tables):
        if not table.words:
            faults.append((at, "keyword has no words"))
        reply, fault = reply_of(table.reply)
        if table.means == "help" and not table.reply:
            fault = 'a keyword that means "help" wants a reply: without one it is an ordinary message'
        if fault:
            faults.append((at, f"keyword {', '.join(table.words)}: {fault}"))
        for word in table.words:
            if not plain(word):
                faults.append((at, f"keyword {word!r} is empty once spaces and punctuation are gone"))
                continue
            for before in ("", *table.before):
                for after in ("", *table.after):
                    form = plain(f"{before}{word}{after}")
                    known = forms.setdefault(form, Wish(table.means, word, reply))
                    if known.means != table.means:
                        faults.append((at, f"keyword {word!r} is to {known.means} and to {table.means}"))
        if len(forms) > MOST_FORMS:
            faults.append((at, f"more than {MOST_FORMS} forms: words times before times after"))
            break
    echoes = ((at, table) for at, table in enumerate(tables) if table.reply and plain(table.reply) in forms)
    faults += [(at, f"keyword {', '.join(table.words)}: its reply is itself a keyword of this set") for at, table in echoes]
    return forms, faults


def wish_of(forms: Mapping[str, Wish], pdu: bytes, command: int) -> Wish | None:
    """Return what a whole deliver_sm or data_sm wants; None: it is no keyword. Raises BadPdu where reading does."""
    if len(pdu) > LONGEST_PDU:
        return None
    content = content_of(pdu, command)
    if content.part is not None or not 0 < len(content.octets) <= LONGEST_OCTETS:
        return None
    text, others, _ = shown((content,))
    for reading in (text, *others):
        found = forms.get(plain(reading))
        if found is not None:
            return found
    return None
