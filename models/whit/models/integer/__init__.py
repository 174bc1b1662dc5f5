"""From a float model over whole utterances to an integer-only checkpoint (docs/format.md, section 10)."""
