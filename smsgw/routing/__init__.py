"""Routing: which links may take a message, in which order. A table built once for each Directory; no waiting, no SQL."""
