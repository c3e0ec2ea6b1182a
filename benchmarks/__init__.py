"""What is claimed about speed, measured beside what a user would pick instead."""
