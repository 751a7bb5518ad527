"""``boxship build``: what is asked for on the command line, and how it is asked of an engine.

``flags.py`` is the table, ``specs.py`` the little languages in it, ``options.py`` the frozen wish,
``inputs.py`` where context and Dockerfile come from, ``attributes.py`` the wish in BuildKit's terms
and ``classicquery.py`` in those of ``POST /build``; ``solving.py`` and ``classic.py`` do it.
"""
