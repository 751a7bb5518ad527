"""``python -m boxship`` is the command line."""

import sys

from boxship.cli.main import main

sys.exit(main())
