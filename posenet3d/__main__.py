"""Run the command line: ``python -m posenet3d``."""

import sys

from posenet3d.cli import main

if __name__ == "__main__":
    sys.exit(main())
