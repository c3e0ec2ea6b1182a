"""The published networks: drawn, given their weights and heads, and put to use."""
