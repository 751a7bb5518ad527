"""A stopped dockerd's data root: what is in it, and how it comes to a daemon of ours.

It reads the disk of another engine on this machine, as that is, and hands everything over by HTTP:
images as archives, the rest by ``/boxship/adoption/…``. It changes nothing in what it reads; with
``--move`` it lets the daemon take volumes' files away. Refuses to know how our engine keeps things.

Start reading in ``root.py``, which draws the tree, then ``plan.py``.
"""
