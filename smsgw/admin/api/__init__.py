"""The HTTP API: JSON over HTTP on an address of its own, for programs that have a token. Off unless `[api] listen` says where.

    shapes      what is sent and what is answered, as types        problems    what was wrong, with status, words and faults
    gate        who is asking: tokens, and how often wrong ones    slots       how much at the same time
    policies    the answers about rule sets                        trying      checks and replays, beside the loop
    cancelling  the answers about cancelled messages
    connections how many of them, and how long a request's head may take
    server      routes, permissions, HTTP itself                   openapi     the document, made of the routes and shapes

Never here: SQL; what the open admin address shows; a token, a content or a whole number in a log, a metric or an error.
"""

from __future__ import annotations
