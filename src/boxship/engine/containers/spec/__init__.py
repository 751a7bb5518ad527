"""From a container's record to the runtime spec that starts it; pure but for looking at /dev.

What Docker gives every container (mounts, devices, capabilities, limits) is decided here, and
nothing of how it is done: that is ``boxship.runtime.plan``. Refuses to know records' changes, shims
and clients. Start reading at ``assembly.py``.
"""
