"""The verbs of ``boxship-runtime``, each in the module of its name.

Each has ``run(call) -> int``, which returns the exit status and raises ``BoxshipError``,
``OSError`` or ``ValueError`` for the one line that is then said. None knows another.
"""
