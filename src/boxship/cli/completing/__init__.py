"""Completion for shells: what may follow on a command line, from the tables of flags and verbs.

The shells' scripts (``scripts.py``) ask ``boxship __complete``, in the protocol that Docker's own
scripts speak. ``wishes.py`` says what is to be filled in, pure; ``asking.py`` has the names that
only the daemon knows.
"""
