"""Seeds of random numbers (needs no torch)."""

LARGEST_SEED = 2**63 - 1  # that torch takes
