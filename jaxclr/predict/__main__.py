"""``python -m jaxclr.predict``: see :mod:`jaxclr.predict.command`."""

import sys

from jaxclr.predict.command import main

if __name__ == "__main__":
    sys.exit(main())
