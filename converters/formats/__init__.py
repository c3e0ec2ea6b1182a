"""File formats: how each is recognised, read and written, and what a conversion leaves in a file."""
