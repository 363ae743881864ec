"""What all tests share: the project's folder on the path, so that tests find `tests.support` however they are run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
