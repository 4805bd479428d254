"""What judging costs: a set of 10,000 terms, 200 patterns and 500 templates against two kinds of message, beside a fixed loop.

python -m tests.policy.cost        microseconds a message, what some tables cost more, how long building holds the interpreter

What is timed is what accept calls: the docket, from the octets of a submit_sm to its verdict. A thousand distinct messages of each
kind take turns, none of which a rule stops; beside it stand the engines alone on the same texts, and a fixed loop.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ahocorasick_rs as aho
import re2

from smsgw.bench.rules import made_set
from smsgw.policy.docket import Docket
from smsgw.policy.handset import content_of, shown
from smsgw.policy.normal import n1, n2
from smsgw.policy.ruleset import RuleSet
from smsgw.smpp import const, gsm7
from tests.policy.corpus.harmless import texts
from tests.policy.sets import ACCOUNT, MORNING_IN_CHINA, compiled, owner, raw

TERMS = 10_000
EACH = 1_000
CHINESE, LATIN = "70 Chinese characters", "100 octets of GSM text"
_MORE = {
    CHINESE: "请您注意查收，感谢您的使用。如有疑问请联系我们的客户服务中心，谢谢您的支持与配合，祝您生活愉快，工作顺利，身体健康！",
    LATIN: " Thanks for being with us; do call the shop, or see our pages, if you need any help at all with it.",
}


TABLES = {
    "[category]": "[category]\n",
    "[category.words]": """
[category]
[category.words]
marketing = ["优惠", "特价", "折扣", "促销", "抢购", "sale", "discount", "coupon", "% off", "deal"]
otp = ["验证码", "校验码", "动态码", "verification code", "passcode"]
notice = ["通知", "提醒", "reminder"]
""",
    "[links]": '[links]\nallowed = ["example.cn"]\n',
    "[phones]": '[phones]\nallowed = ["4001234567"]\n',
}
"""Tables that cost something of their own; the first because any such table takes a message off the shortest way."""


def messages() -> dict[str, list[bytes]]:
    """Return distinct messages of both kinds: each of 70 characters in UCS-2, or of 100 octets in the default alphabet."""
    written = texts(6 * EACH)
    chinese = dict.fromkeys(f"{text}{_MORE[CHINESE]}"[:70] for text in written if not text.isascii())
    latin = dict.fromkeys(f"{text}{_MORE[LATIN]}"[:100] for text in written if text.isascii())
    return {
        CHINESE: [raw(text.encode("utf-16-be"), 8) for text in list(chinese)[:EACH]],
        LATIN: [raw(gsm7.encode(text) or b"") for text in list(latin)[:EACH]],
    }


def loop() -> int:
    """The yardstick: a thousand additions."""
    total = 0
    for number in range(1_000):
        total += number
    return total


def timed(work: Callable[[], object], count: int = 200, rounds: int = 40) -> float:
    """Return the microseconds of the best of many short rounds; without the garbage collector, as the daemon runs."""
    return timed_each(lambda _: work(), [None], count, rounds)


def timed_each(work: Callable[[Any], object], each: Sequence[Any], count: int = 1, rounds: int = 20) -> float:
    """Return the microseconds for each of many things in turn: the best round counts, because others share the machine."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(rounds):
            begun = time.perf_counter()
            for _ in range(count):
                for one in each:
                    work(one)
            best = min(best, (time.perf_counter() - begun) / (count * len(each)))
    finally:
        gc.enable()
    return best * 1e6


def judging(policy: RuleSet) -> Callable[[bytes], object]:
    """Return what accept calls for one message."""
    docket = Docket({ACCOUNT.policy: policy})

    def work(pdu: bytes) -> object:
        return docket(ACCOUNT, "10690001", "8613800138000", pdu, MORNING_IN_CHINA, owner, const.SUBMIT_SM, const.V34)

    return work


def engines(policy: RuleSet, pdus: Iterable[bytes]) -> float:
    """Return what normal forms and engines cost on the same texts, without reading, rules or verdict."""
    each = [shown((content_of(pdu),)).text for pdu in pdus]
    terms_n1, terms_n2, patterns = policy.terms_n1, policy.terms_n2, policy.patterns_n1
    assert terms_n1 is not None
    assert terms_n2 is not None
    assert patterns is not None

    def work(text: str) -> None:
        form = n1(text)
        terms_n1.find(form)
        terms_n2.find(n2(form))
        patterns.find(form)

    return timed_each(work, each)


def more(rules: RuleSet, tables: dict[str, RuleSet], pdus: Sequence[bytes], rounds: int = 40) -> dict[str, float]:
    """Return what each of the tables costs more in the set than the set alone: all take turns, the best round of each counts."""
    works = {name: judging(policy) for name, policy in {"": rules, **tables}.items()}
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            best[name] = min(best[name], timed_each(work, pdus[:200], rounds=1))
    return {name: best[name] - best[""] for name in tables}


def longest_hold(text: str, lists: dict[str, str]) -> float:
    """Return the longest single step of building, in ms: for so long, and no longer, an engine keeps the interpreter to itself."""
    steps: list[float] = []

    def clocked(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **more: Any) -> Any:
            begun = time.perf_counter()
            result = work(*arguments, **more)
            steps.append(time.perf_counter() - begun)
            return result

        return run

    whole = aho.AhoCorasick, re2.Set.Compile
    aho.AhoCorasick, re2.Set.Compile = clocked(whole[0]), clocked(whole[1])
    try:
        compiled(text, lists)
    finally:
        aho.AhoCorasick, re2.Set.Compile = whole
    return max(steps) * 1e3


if __name__ == "__main__":
    big, lists_of_words = made_set(TERMS)
    begun_at = time.perf_counter()
    rules = compiled(big, lists_of_words)
    sys.stdout.write(f"{rules.size}: compiled and proved in {time.perf_counter() - begun_at:.2f} s\n")
    with_table = {name: compiled(f"{big}\n{table}", lists_of_words) for name, table in TABLES.items()}
    for kind, octets in messages().items():
        asked = judging(rules)
        figures = [(timed(loop, 20), timed_each(asked, octets), engines(rules, octets)) for _ in range(3)]
        quiet, judged, bare = (min(column) for column in zip(*figures, strict=True))
        sys.stdout.write(f"{kind}: {judged:.1f} µs, engines alone {bare:.1f} µs, a thousand additions {quiet:.1f} µs\n")
        costs = ", ".join(f"{name} {cost:.1f}" for name, cost in more(rules, with_table, octets).items())
        sys.stdout.write(f"{kind}, each table alone, more by: {costs} µs\n")
    sys.stdout.write(f"longest step of building: {min(longest_hold(big, lists_of_words) for _ in range(3)):.1f} ms\n")
