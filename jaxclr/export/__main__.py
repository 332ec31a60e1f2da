"""``python -m jaxclr.export``: see :mod:`jaxclr.export.command`."""

import sys

from jaxclr.export.command import main

if __name__ == "__main__":
    sys.exit(main())
