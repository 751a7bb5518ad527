"""``boxship build``, under all of its names. What it does is in ``boxship.cli.building``."""
