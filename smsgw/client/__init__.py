"""`smsgw.client`: the tenants' library. Send a message, get its id; get its receipt; get messages of one's own number.

    async with Client("127.0.0.1", 2775, "acme1", "secret", on_receipt=print) as client:
        message_id = await client.send("10690001", "8613800000000", "Your code is 123456")

It stands on aiosmpplib's ESME (connection, bind, keep-alive, building of submit_sm) and on `smsgw.smpp` (reading of receipts and
messages). What is ours, and why (each limit is measured, and proven again in tests/smpp/test_aiosmpplib_limits.py):

- correlation in O(1), in `correlator`: the library's own looks through everything it remembers for each message (95 messages a
  second at 20,000);
- receipts and messages are read from their octets by `smsgw.smpp`, leniently: the library refuses dates with seconds, `err:0x2A`,
  receipts without text, header elements, and ends the session for some of them;
- statuses of vendors and of SMPP 5.0 come back as numbers, in `esme`: the library ends the session for one it does not know;
- a window: `send` waits while so many are unanswered; a throttled message is sent again, a little later.

Limits that remain:

- SMPP 3.4 only; system_id at most 15 octets, password at most 8, no TLS;
- texts: GSM 03.38 where they fit it, else UCS-2; one over 254 octets goes as message_payload, in one piece. No header elements
  (UDH), no binary, no vendor TLVs of one's own: use SMPP itself for those;
- destinations of at most 20 characters;
- `send` that ends with `Unanswered` may have been taken: SMPP has no key by which a second try could be told from a first;
- what waits for receipts is kept in memory, for `remember_s` and at most `remember` of them; a receipt for one that is forgotten
  still comes, without its `reference`.

Never here: anything of the gateway; a password or a text in a log, a repr or an error.
"""

from __future__ import annotations

from smsgw.client.client import Client
from smsgw.client.words import Incoming, NotBound, Receipt, Refused, Unanswered

__all__ = ["Client", "Incoming", "NotBound", "Receipt", "Refused", "Unanswered"]
