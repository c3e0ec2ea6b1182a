"""HDF5 files nobody trusts: a strict reader of our own, the process that decompresses, a writer."""
