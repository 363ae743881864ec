"""Whether counts agree with a weight, or differ by more than chance."""

import math

# A true 90/10 split fails once in a thousand runs. With 1,000 requests, 80/20 fails practically always.
SIGNIFICANCE = 0.001


def binomial_p(successes: int, trials: int, probability: float) -> float:
    """Two-sided exact binomial test: the chance of an outcome no more likely than the one seen."""
    if not trials:
        return 0.0
    if probability in (0, 1):
        return float(successes == trials * probability)
    logs = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(probability)
        + (trials - k) * math.log1p(-probability)
        for k in range(trials + 1)
    ]
    limit = logs[successes] + 1e-7  # rounding must not drop outcomes that are equally likely
    return min(1.0, math.fsum(math.exp(value) for value in logs if value <= limit))
