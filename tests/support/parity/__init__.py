"""Scenarios, run against Docker's own daemon and against ours, and compared step by step.

`scenarios.py` reads them from TOML, `pair.py` has the two daemons, `performing.py` runs a step on
one of them, `comparing.py` says where two outcomes differ, and `reviewed.py` knows which of these
differences are meant. `run.py` puts them together for the suite and for `scripts/parity`. Nothing
of it knows what any command does.
"""
