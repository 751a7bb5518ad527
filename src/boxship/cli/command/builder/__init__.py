"""``boxship builder``: the cache of builds by the engine's own API.

``builder build`` is ``build``; what BuildKit's API can say beyond that is in ``buildx``.
Start reading in ``prune.py``.
"""
