"""`python -m pythia_gui` is the command `pythia-gui`."""

import sys

from pythia_gui.cli import main

if __name__ == "__main__":
    sys.exit(main())
