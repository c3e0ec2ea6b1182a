"""Which rules a converted file was made by."""

from __future__ import annotations

RULES_NUMBER = 1
"""Raised whenever a rule gives other arrays than before; a file that was made by other rules is made anew.

Records of 0.1.0 name no number. ``make digests`` writes down what the rules of this number give.
"""
