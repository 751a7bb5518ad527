"""A builder that speaks BuildKit's API, from the client's side: what it is asked, and asks back.

Two connections, each HTTP/2 after an upgrade: on ``POST /grpc`` we call the builder, on
``POST /session`` it calls us, for files, secrets, logins, agents, and to hand over results.
A thread per connection moves bytes; there is no event loop. It refuses to know terminals.

Start reading in ``builder.py`` (a build from end to end), then ``session.py`` and ``link.py``.
"""
