// RegisterCustomOps: to come.
