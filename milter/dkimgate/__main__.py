"""`python -m dkimgate` is `dkimgate`."""

import sys

from dkimgate.cli import main

sys.exit(main())
