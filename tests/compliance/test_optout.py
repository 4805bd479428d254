from __future__ import annotations

import pytest

from smsgw.compliance.optout import refused_scope, resumed_scopes, signature_of
from smsgw.policy.marks import OPT_OUT, Scope
from tests.policy.sets import ACCOUNT, compiled

SIGNED = """
[consent]
refusal = "{refusal}"
[signature]
[[signature.filed]]
signature = "某某"
numbers = ["10690001"]
[[signature.filed]]
signature = "另一"
numbers = ["1069000177", "10690002"]
[[signature.filed]]
signature = "第三"
numbers = ["10690002"]
[[signature.filed]]
signature = "到处"
[[signature.filed]]
signature = "从前"
numbers = ["10690003"]
status = "expired"
"""
WHOLE = Scope(OPT_OUT, "account", ACCOUNT.id)


@pytest.mark.parametrize(
    ("number", "signature"),
    [
        ("10690001", "某某"),
        ("+1069000112", "某某"),
        ("106900017788", "另一"),
        ("10690002", ""),
        ("10690003", "从前"),
        ("10691", ""),
        ("", ""),
    ],
)
def test_a_service_number_has_one_signature(number: str, signature: str):
    """The one filed for it, or for the longest number that it extends; of several nobody knows which."""
    assert signature_of(compiled(SIGNED.format(refusal="signature")), number) == signature


def test_what_is_refused_is_what_the_set_says():
    """The account, the number written to, or its signature; where that is not known, the account: too wide rather than lost."""
    assert refused_scope(compiled('[[keyword]]\nwords = ["TD"]'), ACCOUNT, "10690001") == WHOLE
    assert refused_scope(compiled(SIGNED.format(refusal="number")), ACCOUNT, "+10690001") == WHOLE._replace(
        level="number", key="10690001"
    )
    by_signature = compiled(SIGNED.format(refusal="signature"))
    assert refused_scope(by_signature, ACCOUNT, "10690001") == WHOLE._replace(level="signature", key="某某")
    assert refused_scope(by_signature, ACCOUNT, "10690002") == WHOLE


def test_taking_back_lifts_all_that_could_be_refused_there():
    """Whatever the set said when it was refused: the account's, the number's and its signature's refusals are lifted."""
    lifted = resumed_scopes(compiled(SIGNED.format(refusal="account")), ACCOUNT, "10690001")
    assert {(scope.level, scope.key) for scope in lifted} == {("account", ""), ("number", "10690001"), ("signature", "某某")}
    assert len(resumed_scopes(compiled(""), ACCOUNT, "10690001")) == 2
