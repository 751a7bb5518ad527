"""The verbs of checkpoints, a file each.

They ask the daemon alone: whether it has checkpoints at all, it says itself, because Docker counts
them among its experimental features. Start reading at ``create.py``; what goes on from a checkpoint
is ``boxship start``.
"""
