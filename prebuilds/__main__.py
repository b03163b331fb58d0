"""`python -m prebuilds`."""

import sys

from prebuilds.cli import main

sys.exit(main())
