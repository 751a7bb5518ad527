"""The command line of ``boxship-runtime``, compatible with runc's.

It knows flags, the containers under ``--root`` and whom to tell; what a container is and how it
is made stands in ``boxship.runtime``. Start reading in ``catalog.py``, where every verb and flag
stands, then ``creation.py``; ``verbs/`` has one file per verb. Only what a verb needs is
imported: the interpreter's start is part of every container's.
"""
