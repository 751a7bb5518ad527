"""BuildKit's door: ``POST /grpc`` and ``POST /session``, for buildx, compose and the docker client.

It translates: a client's wishes into a ``BuildRequest`` (``wishes.py``), what a build tells into
BuildKit's progress (``progress.py``), what a build wants of its client into calls of the client's
session (``session.py``). How anything is built it doesn't know. Start with ``door.py``.
"""
