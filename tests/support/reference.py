"""Third-party data that no test may fetch: charts' values, schemas and CRDs, in a folder beside the checkout.

A test that needs some of it skips where it is not, and says what it looked for.
"""

from tests.support.stacks import ROOT

DATA = ROOT.parent / "shared" / "data"
