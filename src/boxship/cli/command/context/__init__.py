"""The verbs of contexts, a file each: daemons that have a name.

No daemon is asked for them; what there is lies in the store that Docker's client uses, too
(``client/contexts.py``). Start reading at ``create.py``.
"""
