from __future__ import annotations

from xml.etree import ElementTree

from smsgw.bench.cases import Case
from smsgw.bench.ends import Load, Outcome
from smsgw.bench.plot import svg


def _case(name: str, rate: float) -> Case:
    outcome = Outcome(sent=10, ok=10, rate=rate, response_ms={"p50": 1.0, "p99": 2.5})
    return Case(name, Load(), outcome, cpu_us={"gateway": 30.0, "postgres": 15.0} if name == "gateway" else {})


def test_the_picture_is_well_formed_and_shows_every_case() -> None:
    """Each case that ran has its bar and its figure; a failed one has none."""
    failed = Case("relay", Load(), failed="no")
    drawn = svg([_case("direct", 50_000), failed, _case("gateway", 20_000)], "smsgw <0.1>")
    root = ElementTree.fromstring(drawn)  # noqa: S314 - what we just wrote
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "smsgw <0.1>" in words
    assert "20,000" in words
    assert "gateway 30.0 + postgres 15.0" in words
    assert "relay" not in words


def test_nothing_to_show_is_a_picture_too() -> None:
    """Without a case there is still a well-formed picture."""
    assert ElementTree.fromstring(svg([], "none")).tag.endswith("svg")  # noqa: S314 - see above
