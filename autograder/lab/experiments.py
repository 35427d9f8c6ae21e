"""A log of experiments: one JSON line each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor


def log_experiment(name: str, log: str | Path = "experiments.jsonl", **values: Any) -> None:
    """Append one JSON line (UTC time, name, values) to the file `log`; 0-dim tensors become numbers."""
    plain = {key: value.item() if isinstance(value, Tensor) else value for key, value in values.items()}
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "experiment": name, **plain}
    with Path(log).open("a", encoding="utf-8", newline="\n") as out:
        out.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_experiments(log: str | Path = "experiments.jsonl") -> list[dict[str, Any]]:
    """All lines that `log_experiment` wrote, oldest first; an empty list when there are none."""
    if not Path(log).is_file():
        return []
    return [json.loads(line) for line in Path(log).read_text(encoding="utf-8").splitlines() if line]
