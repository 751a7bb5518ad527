"""A terminal or pipes on our side, a hijacked connection on the daemon's, and the loop between.

``attached.py`` is one poll loop over standard input, the connection and signals; no threads.
``detachkeys.py`` is pure, ``terminal.py`` owns raw mode and window sizes. It refuses to know which
verb is running: run, start, attach and exec all come here.

Start reading in ``attached.py``.
"""
