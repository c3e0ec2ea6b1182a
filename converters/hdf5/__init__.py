"""HDF5 files nobody trusts: a strict reader of our own, the child that unpacks, and what a writer needs."""
