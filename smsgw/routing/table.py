"""The routing table: the longest prefix that a destination starts with names the links, in order, and how parts are counted.

Only the prefix lengths that occur are looked up, longest first: 0.2 µs a message, whatever the number of routes.
Never here: whether a link is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from smsgw.model import Route
from smsgw.smpp.text import PartRule

NO_LINKS: tuple[int, ...] = ()
NOBODY: frozenset[int] = frozenset()


class RoutingTable:
    """Destination → link ids in the order in which they are to be tried."""

    __slots__ = ("_beside", "_lengths", "_links", "_names", "_rules", "routes", "ruled")

    def __init__(self, routes: Iterable[Route], link_ids: Mapping[str, int]) -> None:
        """Build from routes; links that do not exist are left out (apply refuses them)."""
        self.routes = tuple(routes)
        self._links = {route.prefix: tuple(link_ids[name] for name in route.links if name in link_ids) for route in self.routes}
        self._rules: dict[str, PartRule] = {
            route.prefix: route.part_rule for route in self.routes if route.part_rule != "gsm_ucs2" and self._links[route.prefix]
        }
        self.ruled = bool(self._rules)
        self._names = {route.prefix: route.name for route in self.routes}
        self._lengths = sorted({len(prefix) for prefix in self._links}, reverse=True)
        self._beside: dict[int, frozenset[int]] | None = None

    def choose(self, destination: str) -> tuple[int, ...]:
        """Return the links for a destination, with or without its +; () when there is no route."""
        if destination[:1] == "+":
            destination = destination[1:]
        links = self._links
        for length in self._lengths:
            found = links.get(destination[:length])
            if found:
                return found
        return NO_LINKS

    def beside(self, link: int) -> frozenset[int]:
        """Return the links that are in a route with this one, itself included; none when it is in no route."""
        if self._beside is None:
            together: dict[int, set[int]] = {}
            for links in self._links.values():
                for one in links:
                    together.setdefault(one, set()).update(links)
            self._beside = {one: frozenset(others) for one, others in together.items()}
        return self._beside.get(link, NOBODY)

    def part_rule(self, destination: str) -> PartRule:
        """Return how the route that `choose` finds counts parts; where `ruled` is False all count by gsm_ucs2."""
        if destination[:1] == "+":
            destination = destination[1:]
        for length in self._lengths:
            if self._links.get(destination[:length]):
                return self._rules.get(destination[:length], "gsm_ucs2")
        return "gsm_ucs2"

    def name(self, destination: str) -> str:
        """Return the name of the route that `choose` finds; "" when it has none."""
        if destination[:1] == "+":
            destination = destination[1:]
        for length in self._lengths:
            if self._links.get(destination[:length]):
                return self._names[destination[:length]]
        return ""
