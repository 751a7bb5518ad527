"""Plugins: programs beside the engine that it asks by Docker's plugin protocol.

Finding one (``discovery.py``: sockets, spec files, entry points of Python packages), asking it
(``client.py``: HTTP with JSON, every call bounded in time and size) and what is said, typed
(``volume.py``, ``network.py`` … one module per capability). A plugin's answer is nothing but a
claim: it is checked for its shape here and for its sense by whoever asked. For the other side, who
writes a plugin in Python, there is ``sdk.py``. It refuses to know containers and records. Start at
``client.py``.
"""
