"""Tenants that misbehave, each as a process of its own: `python -m tests.hostile.attackers NAME PORT`.

It says "ready" once it is at it, and goes on until it is killed. Plain sockets: its own work must cost next to nothing, so that
what it takes from others it takes through the gateway.
"""

from __future__ import annotations

import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable

from smsgw.smpp import const, pdu
from smsgw.smpp.bodies import bind_body

SYSTEM_ID, PASSWORD = b"evil", b"evil"
HALF_OPEN = 2_000
SLOW = 100


def connect(port: int) -> socket.socket:
    """Connect."""
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def bound(port: int) -> socket.socket:
    """Connect and bind as a transceiver."""
    peer = connect(port)
    body = bind_body(system_id=SYSTEM_ID, password=PASSWORD, interface_version=const.V34)
    peer.sendall(pdu.encode(const.BIND_TRANSCEIVER, 0, 1, body))
    answer = peer.recv(4_096)
    assert int.from_bytes(answer[8:12], "big") == 0, answer
    return peer


def ready() -> None:
    """Tell who waits for it."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def submit(sequence: int) -> bytes:
    """A submit_sm that asks for a receipt."""
    body = pdu.sm_body(source=b"10690002", dest=b"8613900000000", short_message=b"x" * 100, registered_delivery=1)
    return pdu.encode(const.SUBMIT_SM, 0, sequence, body)


def pour(peers: list[socket.socket], octets: bytes, *, reads: bool) -> None:
    """Write the same octets again and again to each, as fast as it takes them; read and forget what comes, or never read."""
    selector = selectors.DefaultSelector()
    for peer in peers:
        peer.setblocking(False)
        selector.register(peer, selectors.EVENT_WRITE | (selectors.EVENT_READ if reads else 0), [octets])
    while selector.get_map():
        for key, events in selector.select():
            peer = key.fileobj
            assert isinstance(peer, socket.socket)
            try:
                if events & selectors.EVENT_READ and not peer.recv(1_048_576):
                    raise ConnectionError
                if events & selectors.EVENT_WRITE:
                    left = key.data[0]
                    left = left[peer.send(left) :]
                    key.data[0] = left or octets
            except BlockingIOError:
                continue
            except OSError:
                selector.unregister(peer)


def never_reads(port: int) -> None:
    """Bind four times, and submit without reading a single answer."""
    peers = [bound(port) for _ in range(4)]
    ready()
    pour(peers, b"".join(submit(sequence) for sequence in range(1, 1_000)), reads=False)
    signal.pause()


def floods_enquire_link(port: int) -> None:
    """Send enquire_link as fast as it is taken, on two binds, and read the answers."""
    peers = [bound(port) for _ in range(2)]
    ready()
    pour(peers, b"".join(pdu.encode(const.ENQUIRE_LINK, 0, sequence) for sequence in range(1, 4_000)), reads=True)


def never_answers(port: int) -> None:
    """Submit as fast as it is taken, asking for receipts and answering none of them."""
    peers = [bound(port) for _ in range(4)]
    ready()
    pour(peers, b"".join(submit(sequence) for sequence in range(1, 1_000)), reads=True)


def one_octet_a_second(port: int) -> None:
    """Half of them bound, half not: each sends a submit_sm or a bind, an octet a second."""
    half = SLOW // 2
    peers = [bound(port) for _ in range(half)] + [connect(port) for _ in range(half)]
    octets = submit(2)
    ready()
    for octet in octets:
        for peer in list(peers):
            try:
                peer.send(bytes((octet,)))
            except OSError:
                peers.remove(peer)
        time.sleep(1)


def half_open(port: int) -> None:
    """Open 2,000 connections and send half a header on each; those that are closed are opened again."""
    peers: list[socket.socket] = []
    while len(peers) < HALF_OPEN:
        peers.append(connect(port))
        peers[-1].sendall(b"\0\0\0\x2f\0\0\0")
    ready()
    for peer in peers:
        peer.settimeout(None)
        peer.recv(4_096)
    signal.pause()


ATTACKS: dict[str, Callable[[int], None]] = {
    each.__name__: each for each in (never_reads, never_answers, floods_enquire_link, one_octet_a_second, half_open)
}


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    ATTACKS[sys.argv[1]](int(sys.argv[2]))
