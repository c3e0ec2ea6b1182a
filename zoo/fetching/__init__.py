"""From an architecture and a form to a verified weights file, converted if only another was published."""
