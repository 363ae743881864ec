"""Entry point of the launchers: `python start.py <plugin> <arguments of the engine>`.

Run as a file, so that the plugins need no installed package, and so that the engine's working
directory (the user's project) never comes before this project's own modules.
"""

import runpy
import sys
from pathlib import Path


def main() -> None:
    plugin = sys.argv.pop(1)
    # Python put this file's folder first, whose `kubernetes` would hide the client library of that name.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    runpy.run_module(f"lab.plugins.{plugin}", run_name="__main__", alter_sys=True)


main()
