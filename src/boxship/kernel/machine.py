"""Which processor this is, in the kernel's words (``uname -m``)."""

import os

MACHINE = os.uname().machine
