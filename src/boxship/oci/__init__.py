"""The Open Container Initiative's nouns: references, digests, platforms, image and runtime specs.

Everything here is a frozen value with a parser and a writer. The package refuses to know files,
networks and processes; it computes, it does not fetch. Start reading at ``reference.py``, then
``image.py``.
"""
