"""Entry point of the launchers: `python start.py <plugin> <arguments of the engine>`.

It is run as a file. So plugins need no installed package, and modules in the engine's working directory (the user's
project) are never imported instead of this project's.
"""

import runpy
import sys
from pathlib import Path


def main() -> None:
    plugin = sys.argv.pop(1)
    # Python puts this file's folder first, where a module could hide a library with the same name.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    runpy.run_module(f"lab.plugins.{plugin}", run_name="__main__", alter_sys=True)


main()
