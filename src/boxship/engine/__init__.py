"""Use cases in domain words: what can be done to containers and images, and what then follows.

Records (persisted, frozen), live handles (a shim's connection) and derived views are three
different things here. Refuses to know JSON on the wire, HTTP and API versions. Inside, imports go
down only: containers > images > events | records. Start reading at ``containers/service.py``.
"""
