"""The small languages inside flags: mounts, ports, devices, networks, environment files.

Each module reads one of them into the JSON shape the Engine API takes, and raises ValueError with
the reason; none touches the daemon. What only the daemon can judge is passed on as it is.

Start reading in ``ports.py``.
"""
