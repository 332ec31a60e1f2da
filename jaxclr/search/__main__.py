"""``python -m jaxclr.search``: see :mod:`jaxclr.search.command`."""

import sys

from jaxclr.search.command import main

if __name__ == "__main__":
    sys.exit(main())
