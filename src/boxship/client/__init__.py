"""Client for the Docker Engine API: one synchronous connection at a time, no event loop.

It knows URLs, HTTP framing, version negotiation, hijacked streams and the classes of errors.
It refuses to know what a command line looks like, and everything of the engine behind the API.
It starts within a few milliseconds, because every run of the command line pays for it (ADR 0010).

Start reading in ``engine.py`` (a request from end to end), then ``http.py`` (the framing).
"""
