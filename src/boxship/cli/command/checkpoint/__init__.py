"""The verbs of checkpoints, one file each."""
