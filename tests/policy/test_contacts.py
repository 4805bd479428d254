from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgw.policy.contacts import _MAY_PHONE, LINK, PHONE, SAID, bare, links_in, may_link, may_say, phones_in
from smsgw.policy.normal import n1
from tests.policy.corpus import harmless


def hosts(text: str) -> list[str]:
    """Return the hosts that links of a text lead to."""
    return [found.value for found in links_in(n1(text))]


def numbers(text: str) -> list[str]:
    """Return the phone numbers of a text."""
    return [found.value for found in phones_in(n1(text))]


@given(st.from_regex(LINK), st.from_regex(SAID), st.from_regex(PHONE))
def test_the_short_look_misses_no_link_and_no_number(link: str, said: str, phone: str):
    """Whatever one of the long expressions finds, the short one before it has seen."""
    assert may_link(link)
    assert may_say(said)
    assert _MAY_PHONE.search(phone)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hxxp://evil.com/a",
            "h t t p : / / e v i l . c o m",
            "evil . com",
            "evil .com",
            "evil. com",
            "evil .c n",
            "evil。com",
            "evil｡cn",
        ),
        *(
            "evil[.]com",
            "evil(.)com",
            "evil{dot}com",
            "evil[dot]com",
            "http:evil.com",
            "http:/evil.com",
            "http:\\\\evil.com",
            "ｅｖｉｌ．ｃｏｍ",
        ),
        *(
            "ⓔⓥⓘⓛ.ⓒⓞⓜ",
            "ev\u200bil.c\u200bom",
            "ev\u00adil.com",
            "EVIL.COM",
            "evil.sbs",
            "evil.zip",
            "evil.game?id=1",
            "evil.game/x",
        ),
        *("http://ev%69l.com", "evil.㏇", "evil․com", "看evil.com哦", "-evil.com"),
    ],
)
def test_a_link_is_one_however_its_dots_and_letters_are_written(text: str):
    """Other dots, dots in brackets, letters apart, schemes cut short or spelt hxxp, young domains."""
    assert len(hosts(f"请点 {text}")) == 1


@pytest.mark.parametrize(
    "text", ["恶意.com", "恶意.中国", "恶意.公司/a", "恶意.在线", "http://恶意.中国", "злой.com", "злой.рф", "xn--h28h.xn--fiqs8s"]
)
def test_a_name_of_other_letters_is_one(text: str):
    """Ideographs and Cyrillic before a domain that is known for it."""
    assert len(hosts(f"请点 {text}")) == 1


def test_a_host_is_told_as_it_would_be_dialled():
    """With dots for what stands for them, and without what stands between its letters."""
    assert hosts("evil[.]example . com") == ["evil.example.com"]
    assert hosts("e v i l . c o m") == ["l.com"]
    assert hosts("example.cn。evil.top") == ["example.cn.evil.top"]
    assert hosts("见https://example.cn。谢谢") == ["example.cn"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "请用wifi。in the house",
            "安装app。pro版",
            "苹果·iPhone·Pro",
            "学习.net课程",
            "v1.2.3",
            "2026.11.26 10:30",
            "a.m./p.m. 24/7",
            "http协议",
        ),
        *("me@example.org", "12.50元。", "No. 5, CN", "Sept. orders", "好的.谢谢", "见.中国人", "dotted", "(.)", "1.2.3.4"),
    ],
)
def test_what_only_looks_a_little_like_a_link_is_none(text: str):
    """Ends of sentences, versions, dates, names with a dot between, mail addresses."""
    assert hosts(text) == []


@pytest.mark.parametrize(
    ("text", "host"),
    [
        *(("evil dot com", "evil.com"), ("www dot evil dot com", "www.evil.com"), ("evil.example dot cn", "evil.example.cn")),
        *(("evil点com点cn", "evil.com.cn"), ("evil-dot-com", "evil.com"), ("evil dot c o m.", "evil.com"), ("恶意点com", "意.com")),
        *(("evil-dot-example.cn", "evil-dot-example.cn"), ("http://evil-dot-example.cn", "evil-dot-example.cn")),
        *(("evil.game:8080", "evil.game"), ("evil[.]game/x", "evil.game"), ("www.恶意.游戏", "恶意")),
    ],
)
def test_a_host_is_told_where_its_dot_is_said_or_its_domain_unknown(text: str, host: str):
    """As it would be dialled, as far as letters go that an allowed domain may have: a stroke that belongs to a name stays in it."""
    assert hosts(f"请看 {text}") == [host]


@given(st.lists(st.sampled_from(["a", "-dot-", " dot ", "点", "com", ".", "www.", "cn", ":8080", "/", " ", "恶"]), max_size=40))
def test_dots_that_are_said_cost_no_more_than_they_should(pieces: list[str]):
    """However names and said dots are strung together, looking ends, and what is found is a host with a dot or nothing."""
    assert all("." in host for host in hosts("".join(pieces)) if "dot" in host)


@pytest.mark.parametrize("piece", ["http:", "http:/", "www.", "www。a。", "a-dot-", "a.b:8080 ", "://", "138转0013 ", "a点"])
def test_looking_takes_a_time_that_grows_with_the_text_alone(piece: str):
    """Eight times the text, made of beginnings of links and numbers, is not sixty-four times the work: that took half a second."""

    def looking(characters: int) -> float:
        form = n1(piece * (characters // len(piece)))
        spent = []
        for _ in range(3):
            begun = time.process_time()
            list(links_in(form))
            list(phones_in(form))
            spent.append(time.process_time() - begun)
        return min(spent)

    assert looking(17_000) < 24 * looking(2_125)


MISSED_LINKS = (
    "evil point com",
    "evil dot net",
    "evil·com",
    "evil,com",
    "恶意。中国",
    "evil.game",
    "evil.game:1234",
    "恶意.game/x",
    "evil.\ncom",
    "evil.c0m",
)


@pytest.mark.parametrize("text", MISSED_LINKS)
def test_links_that_are_missed_are_listed(text: str):
    """What a person has to put together, and names under domains that nobody listed: one that is found belongs above."""
    assert hosts(text) == []


@pytest.mark.parametrize(
    "text",
    [
        *("①③⑧⓪⓪①③⑧⓪⓪⓪", "❶❸❽⓿⓿❶❸❽⓿⓿⓿", "⑴⑶⑻⓪⓪⑴⑶⑻⓪⓪⓪", "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎", "1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣", "¹³⁸⁰⁰¹³⁸⁰⁰⁰"),
        *(
            "一三八零零一三八零零零",
            "幺叁捌〇〇幺叁捌〇〇〇",
            "壹叁捌零零壹叁捌零零零",
            "1三8零01三8000",
            "一 三 八 零 零 一 三 八 零 零 零",
            "138oo138ooo",
        ),
        *("١٣٨٠٠١٣٨٠٠٠", "१३८००१३८०००", "๑๓๘๐๐๑๓๘๐๐๐", "〡〣〨〇〇〡〣〨〇〇〇", "1・3・8・0・0・1・3・8・0・0・0"),
        *(
            "138*0013*8000",
            "138/0013/8000",
            "138😀0013😀8000",
            "138~0013~8000",
            "138   0013   8000",
            "(138) 0013-8000",
            "008613800138000",
        ),
    ],
)
def test_a_mobile_number_is_one_however_its_digits_are_written(text: str):
    """Enclosed, of other scripts, said in words of Chinese, with signs between its groups."""
    assert numbers(f"请打{text}。") == ["13800138000"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("010 8765 4321", "01087654321"), ("0571.8765.4321", "057187654321"), ("0471-876-5432", "04718765432")),
        *(("4 0 0 1 2 3 4 5 6 7", "4001234567"), ("4001-234-567", "4001234567"), ("+1 2125550100", "")),
    ],
)
def test_lines_and_service_numbers_have_groups_as_well(text: str, number: str):
    """Of four digits, or each digit by itself."""
    assert numbers(text) == ([number] if number else [])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "原价199 ¥1000 ¥2000",
            "余额1,345,678.90，12:05",
            "180×1200×2000mm",
            "18.11.2026 100元",
            "一三五七九二四六八十",
            "周一三五七九",
        ),
        *(
            "单号 20251125103000123456",
            "房号:138、1234、5678",
            "138+1234+5678=6950",
            "尾号1380",
            "No.138 (2025-2026)",
            "第 150 - 2025-2026 号",
            "满1000减150/2000减300",
            "13:00-15:00 1500人",
        ),
    ],
)
def test_other_digits_are_no_phone_number(text: str):
    """Prices, amounts, sizes, dates, sums, lists and what counts."""
    assert numbers(text) == []


@pytest.mark.parametrize(
    "text", ["138转0013转8000", "138 then 0013 then 8000", "138 0013 then 8000", "138再拨0013再拨8000", "138 dash 0013-8000"]
)
def test_words_between_its_groups_hide_no_number(text: str):
    """Which say what comes next, between two of the groups or three."""
    assert numbers(f"请打{text}。") == ["13800138000"]


@pytest.mark.parametrize(
    "text", ["rooms 150 and 2025 and 2026", "138加0013加8000", "首月138然后1388然后1588元", "150转1204转1305路", "138转0013转80001"]
)
def test_words_between_other_digits_make_no_number_of_them(text: str):
    """Lists, sums, prices, lines of buses, more digits."""
    assert numbers(text) == []


MISSED_NUMBERS = (
    "yi san ba ling ling yi san ba",
    "138，0013，8000",
    "138\n0013\n8000",
    "138，然后0013，然后8000",
    "138 and 0013 and 8000",
    "l38OOl38OOO",
    "110138001380001",
    "95588",
)


@pytest.mark.parametrize("text", MISSED_NUMBERS)
def test_numbers_that_are_missed_are_listed(text: str):
    """Pinyin, clauses and words between, other digits around, short numbers: one that is found belongs above."""
    assert numbers(text) == []


def test_harmless_texts_have_neither():
    """But for orders' numbers of 12 digits that begin with 0, of which the number plan tells most apart."""
    texts = harmless.texts(6_000)
    assert [text for text in texts if hosts(text)] == []
    assert {number[0] + str(len(number)) for text in texts for number in numbers(text)} == {"012"}


def test_digits_alone_are_compared():
    """With and without the code of China, however it is dialled."""
    assert [bare(one) for one in ("+86 138-0013-8000", "0086 13800138000", "13800138000", "400-123")] == ["13800138000"] * 3 + [
        "400123"
    ]
