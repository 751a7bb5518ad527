"""Benchmarks of Boxship beside Docker's own daemon, on the same machine, in turns.

It drives both through Docker's client and API and knows nothing of what is inside either. Start
with `cases.py`; `scripts/bench` runs it, `docs/benchmarks.md` keeps a run.
"""
