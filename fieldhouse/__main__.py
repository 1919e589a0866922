"""`python -m fieldhouse`, the same as the command `fieldhouse`."""

import sys

from fieldhouse.cli import main

sys.exit(main())
