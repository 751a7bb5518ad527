"""``boxshipd``: configuration, listeners, signals, and the one place where everything is wired.

Knows every part by name and no business rule. Start reading at ``main.py``; what can be configured
is the table in ``options.py``.
"""
