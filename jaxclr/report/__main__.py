"""``python -m jaxclr.report``: see :mod:`jaxclr.report.command`."""

import sys

from jaxclr.report.command import main

if __name__ == "__main__":
    sys.exit(main())
