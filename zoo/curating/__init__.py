"""What makes a registry grow and keeps it honest: own entries, checks, links, pins."""
