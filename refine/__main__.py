"""`python -m refine` is `spte`."""

import sys

from refine.cli import main

if __name__ == "__main__":
    sys.exit(main())
