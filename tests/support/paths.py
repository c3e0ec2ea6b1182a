"""Where things lie in the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
DATA = ROOT / "tests" / "data"
DIALECTS = DATA / "dialects"
"""Small models of Keras 0.3 to 2.2.4, and what they computed."""
NETWORK_DATA = DATA / "networks"
"""What the original software computed with the eleven networks."""

WRITTEN_BEFORE = ROOT / "tests" / "data" / "0.1.0"
"""What version 0.1.0 wrote."""
