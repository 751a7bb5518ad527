"""The ``boxship`` command line: docker's verbs, flags, columns and exit codes.

One table (``catalog.py``) lists every command; each verb is one file below ``command/`` that
declares its flags as a table and runs. It speaks to the daemon through ``boxship.client`` alone
and refuses to know the engine. Modules are imported when their verb is run, never before.

Start reading in ``main.py``, then ``command/container/ps.py``.
"""
