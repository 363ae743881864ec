"""`vds versions`: the versions of stack files, judged by the table of releases."""
