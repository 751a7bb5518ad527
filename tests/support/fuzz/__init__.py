"""Requests by the thousand, made from the API's own description, to a daemon that has to stand it.

`values.py` makes values of a schema, right ones and wrong ones; `forging.py` makes requests of
operations; `sending.py` sends one and looks at the answer; `session.py` has a daemon, sends them
all, and looks at what is left. The same seed makes the same requests, but for ids that the daemon
has answered. Start reading at `session.py`.
"""
