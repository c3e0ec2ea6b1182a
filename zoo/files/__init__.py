"""What the commands do with weights files, as functions: convert, inspect and diff."""
