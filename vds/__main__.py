"""`vds`."""

from vds.main import main

main()
