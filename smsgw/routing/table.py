"""The routing table: the longest prefix that a destination starts with names the links, in order.

Only the prefix lengths that occur are looked up, longest first: 0.2 µs a message, whatever the number of routes.
Never here: whether a link is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from smsgw.model import Route

NO_LINKS: tuple[int, ...] = ()


class RoutingTable:
    """Destination → link ids in the order in which they are to be tried."""

    __slots__ = ("_lengths", "_links", "_rules", "routes")

    def __init__(self, routes: Iterable[Route], link_ids: Mapping[str, int]) -> None:
        """Build from routes; links that do not exist are left out (apply refuses them)."""
        self.routes = tuple(routes)
        self._links = {route.prefix: tuple(link_ids[name] for name in route.links if name in link_ids) for route in self.routes}
        self._rules = {route.prefix: route.part_rule for route in self.routes}
        self._lengths = sorted({len(prefix) for prefix in self._links}, reverse=True)

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

    def part_rule(self, destination: str) -> str:
        """Return how the route of a destination counts parts."""
        for length in self._lengths:
            rule = self._rules.get(destination[:length])
            if rule is not None:
                return rule
        return "gsm_ucs2"
