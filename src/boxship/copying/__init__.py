"""Images from one place to another: engines, registries, archives, OCI layouts.

Content moves as it is: a manifest's bytes are never written anew, so that digests stay. The one
exception are layers that a place has uncompressed and a registry should get compressed. Knows
engines through ``client`` and registries through ``distribution``; refuses to know stores.

Start reading in ``content.py`` (what a place must be able to do), then ``plan.py``.
"""
