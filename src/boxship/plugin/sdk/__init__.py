"""Write a plugin in Python: subclass what it is to be, and serve it or name it as an entry point.

A class of ``volumes.py``, ``authorization.py`` … has a method per call of the protocol; raising
:class:`serving.RefusedError` is how to say no. :func:`serving.serve` lets Docker and Boxship reach
it by a socket. Where it is installed beside Boxship, the entry point ``boxship.plugins`` is enough:
the engine starts the process itself. Standard library only, blocking, a thread per call.
"""
