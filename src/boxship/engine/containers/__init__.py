"""Containers: create, start, attach to, stop and remove them, and find them again after a crash.

Everything that happens to one container is serialised by its owner (``live.py``); what it has come
to is a frozen record (``record.py``), and the record is the commit point of every change. Refuses
to know HTTP, JSON on the wire and how a process is started: that is ``boxship.runtime``'s, reached
through messages (``tasks.py``). Start reading at ``service.py``, whose methods are the use cases.
"""
