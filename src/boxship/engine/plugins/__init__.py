"""Who provides what the engine itself doesn't: plugins by capability and name.

It knows those that were registered (managed plugins) and finds the others by their sockets, spec
files and Python packages; it has them activated when they are first asked for. What a plugin is
asked is the business of the packages that ask: volumes, networks, the API. Start at ``service.py``.
"""
