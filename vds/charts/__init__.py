"""`vds charts`: which bytes charts are, read at their makers, and compared at the mirror."""
