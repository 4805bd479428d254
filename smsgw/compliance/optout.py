"""What a keyword refuses: marketing of the account that owns the service number, of one of its signatures, or from that number.

The rule set says which (`[consent] refusal`). A signature is known by its filing: the one signature that is filed for the service
number. Where none or several are, the refusal is the account's: too wide rather than lost.

Never here: which words there are (`smsgw.policy.keywords`), the store.
"""

from __future__ import annotations

from smsgw.config import Compliance
from smsgw.model import Account
from smsgw.policy.file import Consent
from smsgw.policy.marks import OPT_OUT, Marks, Scope
from smsgw.policy.numbers import canonical
from smsgw.policy.ruleset import RuleSet


def marks_of(key: bytes, settings: Compliance) -> Marks:
    """Return marks that hash numbers as this gateway does, with nothing in them yet."""
    return Marks(key, country_code=settings.country_code, national_digits=settings.national_digits)


def refused_scope(policy: RuleSet, account: Account, service: str) -> Scope:
    """Return within what a handset's refusal holds that was sent to a service number."""
    refusal = (policy.table.consent or Consent()).refusal
    if refusal == "number":
        return Scope(OPT_OUT, "number", account.id, canonical(service))
    if refusal == "signature":
        signature = signature_of(policy, service)
        if signature:
            return Scope(OPT_OUT, "signature", account.id, signature)
    return Scope(OPT_OUT, "account", account.id)


def resumed_scopes(policy: RuleSet, account: Account, service: str) -> tuple[Scope, ...]:
    """Return the refusals that a word to a service number takes back: whatever could be refused by it, in any scope."""
    scopes = [Scope(OPT_OUT, "account", account.id), Scope(OPT_OUT, "number", account.id, canonical(service))]
    signature = signature_of(policy, service)
    if signature:
        scopes.append(Scope(OPT_OUT, "signature", account.id, signature))
    return tuple(scopes)


def signature_of(policy: RuleSet, service: str) -> str:
    """Return the one signature that is filed for a service number, or the longest one that it extends; "": none, or several."""
    digits = canonical(service)
    best, found = 0, set()
    for signature, filings in policy.filed.items():  # whatever became of them: the number is known by it
        numbers = [number for filing in filings for number in filing.numbers]
        longest = max((len(number) for number in numbers if digits.startswith(canonical(number))), default=0)
        if longest > best:
            best, found = longest, {signature}
        elif longest and longest == best:
            found.add(signature)
    return found.pop() if len(found) == 1 else ""
