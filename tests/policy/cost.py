"""What judging costs: a set of 10,000 terms, 200 patterns and 500 templates against two kinds of message, beside a fixed loop.

python -m tests.policy.cost        microseconds a message, and how long building holds the interpreter
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import re2

from smsgw.policy import matcher
from smsgw.policy.judging import judge, steps_of
from smsgw.policy.normal import n1
from smsgw.policy.ruleset import RuleSet
from smsgw.policy.submission import Submission
from smsgw.smpp import gsm7
from tests.policy.sets import ACCOUNT, MORNING_IN_CHINA, compiled, owner, raw

CHINESE = (
    "【签1】您的验证码是123456，请在5分钟内输入。如非本人操作，请忽略"
    "本短信，勿将验证码告知他人。退订回T，详情请登录官网查看谢谢再会"
)
LATIN = "Your verification code is 123456. It expires in 5 minutes; do not share it with anyone. Thanks, Acme."


def big_set() -> tuple[str, dict[str, str]]:
    """Return the text of the set and its word lists: 7,000 Han, 2,000 Latin and 1,000 mixed terms, a tenth of them in n2."""
    chance = random.Random(10)
    han = [letter for letter in (chr(0x4E00 + chance.randrange(0x4000)) for _ in range(4_000)) if n1(letter) == letter]

    def some(count: int, make: Callable[[], str]) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            found[make()] = None
        return list(found)

    def latin(least: int, most: int) -> str:
        return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(least, most)))

    words = some(6_300, lambda: "".join(chance.choices(han, k=chance.randint(2, 6)))) + some(1_800, lambda: latin(6, 12))
    words += some(900, lambda: f"{chance.choice(han)}{latin(2, 4)}{chance.choice(han)}")
    apart = some(900, lambda: "".join(chance.choices(han, k=chance.randint(3, 6)))) + some(100, lambda: latin(8, 12))
    lines = ["[templates]"]
    lines += [f'[[terms]]\nid = "n1"\nfile = "n1"\nmust = ["{words[0]}"]']
    lines += [f'[[terms]]\nid = "n2"\nform = "n2"\nfile = "n2"\nmust = ["{apart[0]}"]']
    for at in range(200):
        first, second = "".join(chance.choices(han, k=2)), "".join(chance.choices(han, k=2))
        expression = (
            rf"{first}.{{0,6}}{second}",
            rf"https?://[a-z0-9.-]*{latin(6, 8)}\.(?:cn|com)",
            rf"(?:加|\+).{{0,3}}{first}[:：]?[0-9a-z]{{5,12}}",
            rf"{latin(5, 7)}[^0-9]{{0,4}}[0-9]{{7,11}}",
        )[at % 4]
        text = f"{first}好{second}" if at % 4 == 0 else f"加{first}:abcde"
        if at % 4 == 1:
            text = "http://" + expression.split("*")[1].split("\\")[0] + ".cn"
        elif at % 4 == 3:
            text = expression.split("[")[0] + "-1234567"
        lines.append(f'[[pattern]]\nid = "p{at}"\nexpression = \'{expression}\'\nmust = ["{text}"]')
    for at in range(500):
        body = "".join(chance.choices(han, k=8))
        lines.append(
            f'[[template]]\nid = "t{at}"\nsignature = "签{at % 50}"\ntext = "{body}{{a:digits:4-6}}，{{b:name:1-10}}{body[:3]}。"\n'
            f'must = ["【签{at % 50}】{body}1234，王小明{body[:3]}。"]'
        )
    return "\n".join(lines), {"n1": "\n".join(words), "n2": "\n".join(apart)}


def loop() -> int:
    """The yardstick: a thousand additions."""
    total = 0
    for number in range(1_000):
        total += number
    return total


def timed(work: Callable[[], object], count: int = 2_000, rounds: int = 7) -> float:
    """Return the microseconds of the best of some rounds; without the garbage collector, as the daemon runs."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(rounds):
            begun = time.perf_counter()
            for _ in range(count):
                work()
            best = min(best, (time.perf_counter() - begun) / count)
    finally:
        gc.enable()
    return best * 1e6


def judging(policy: RuleSet, pdu: bytes) -> Callable[[], object]:
    """Return what accept does for one message: read the content, ask every rule."""
    steps = steps_of(policy)

    def work() -> object:
        submission = Submission(policy, ACCOUNT, "10690001", "8613800138000", pdu, now=MORNING_IN_CHINA, owner=owner)
        return judge(policy, steps, submission)

    return work


def messages() -> dict[str, bytes]:
    """Return both kinds of message: 70 Chinese characters, 100 septets."""
    septets = gsm7.encode(LATIN)
    assert septets is not None
    return {"70 Chinese characters": raw(CHINESE.encode("utf-16-be"), 8), "100 octets of GSM text": raw(septets)}


def longest_hold(text: str, lists: dict[str, str]) -> float:
    """Return the longest single step of building, in ms: for so long, and no longer, an engine keeps the interpreter to itself."""
    steps: list[float] = []

    def clocked(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            begun = time.perf_counter()
            result = work(*arguments)
            steps.append(time.perf_counter() - begun)
            return result

        return run

    whole = matcher._automaton, re2.Set.Compile
    matcher._automaton, re2.Set.Compile = clocked(whole[0]), clocked(whole[1])
    try:
        compiled(text, lists)
    finally:
        matcher._automaton, re2.Set.Compile = whole
    return max(steps) * 1e3


if __name__ == "__main__":
    big, lists_of_words = big_set()
    begun_at = time.perf_counter()
    rules = compiled(big, lists_of_words)
    sys.stdout.write(f"{rules.size}: compiled and proved in {time.perf_counter() - begun_at:.2f} s\n")
    sys.stdout.write(f"fixed loop (1,000 additions): {timed(loop):.1f} µs\n")
    for kind, octets in messages().items():
        sys.stdout.write(f"{kind}: {timed(judging(rules, octets)):.1f} µs\n")
    sys.stdout.write(f"longest step of building: {longest_hold(big, lists_of_words):.1f} ms\n")
