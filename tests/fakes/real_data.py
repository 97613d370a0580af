"""Where real data that nobody on the project made stands: KULLA_DATA, default ../shared/data."""

from __future__ import annotations

import os
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("KULLA_DATA", TOP.parent / "shared" / "data"))
