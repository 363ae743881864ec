"""Odd inputs by the thousand: `make fuzz`. A few hundred run in tests/property/test_fuzz.py."""
