"""New files: reserved under a temporary name, filled, verified against their source, then renamed."""
