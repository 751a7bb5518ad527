"""The Engine API as it goes over the wire: shapes, versions, frames, streams, parameters.

Every check of an API version stands here (``adapt.py`` for answers, ``requests`` in the modules of
the shapes), so that the rest of Boxship knows one shape, the newest. Pure: bytes and text in,
structs out, and back. Refuses to know the engine and how bytes travel. Start reading at
``versions.py``, then ``containers.py``.
"""
