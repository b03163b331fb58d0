"""`python -m prebuilds.lint`."""

import sys

from prebuilds.lint.command import main

sys.exit(main())
