"""Networks: what is recorded of them, who has which address, and the bridges they are.

Knows endpoints, but no containers: whoever wants an address hands in a wish and gets it filled in.
Refuses to know HTTP and API versions; how an interface or a rule is made is the ``net`` package's.
Start reading at ``service.py``; ``addresses.py`` is the address management, pure.
"""
