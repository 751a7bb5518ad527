"""`scripts/images [NAME…]`: makes what is missing and prints a line per archive."""

import sys

from support.images.catalog import RECIPES, ensure


def main() -> None:
    for name in sys.argv[1:] or RECIPES:
        path = ensure(name)
        print(f"{name:10} {path.stat().st_size / 1e6:7.1f} MB  {path}")


main()
