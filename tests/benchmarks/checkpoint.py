"""Memory and time of lab 05's reference on a checkpoint with the shapes of Llama-2-7B decoder layers.

    .venv/bin/python -P tests/benchmarks/checkpoint.py [--layers 2] [--width 4096] [--inner 11008] [--threads 1]

Writes float16 layers (0.4 GB each) into a temporary folder, quantizes them in a fresh process with the reference, and
says the peak of anonymous memory beside what the contract allows, and seconds a GB beside a plain copy of the files.
Needs 2.3 times the checkpoint's size in that folder (TMPDIR).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLUG = "05_llm_weight_only"
ALLOWED_MB = 16


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def quantize(source: Path, target: Path, threads: int) -> dict[str, float]:
    """Run in the fresh process: libraries are loaded before the clock and the watch start."""
    import torch

    from autograder.grading.reference import reference_namespace
    from autograder.runtime.memory import Watch, anonymous_mb

    torch.set_num_threads(threads)
    function = reference_namespace(ROOT / "exercises" / SLUG, ROOT / "solutions" / SLUG)["quantize_checkpoint"]
    before = anonymous_mb() or 0.0
    with Watch() as seen:
        wall, cpu = time.perf_counter(), time.process_time()
        function(source, target)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_s": wall, "cpu_s": cpu, "before_mb": before, "growth_mb": seen.growth_mb or 0.0}


def copy(source: Path, target: Path) -> float:
    """Seconds to copy the files as they are."""
    started = time.perf_counter()
    shutil.copytree(source, target)
    return time.perf_counter() - started


def measure(arguments: argparse.Namespace, work: Path) -> str:
    """Make the checkpoint, copy it, quantize it; the findings as text."""
    from autograder.runtime.kit.checkpoint import large_checkpoint

    made = large_checkpoint(arguments.layers, arguments.width, arguments.inner, 1024)
    source, target = Path(shutil.move(made, work / "source")), work / "target"
    copied = copy(source, work / "copy")
    shutil.rmtree(work / "copy")
    command = [sys.executable, "-P", __file__, "--child", str(source), str(target), "--threads", str(arguments.threads)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return report(arguments, size_of(source), target, found, copied)


def report(arguments: argparse.Namespace, size: int, target: Path, found: dict[str, float], copied: float) -> str:
    """The figures, one a line."""
    shard = max(path.stat().st_size for path in target.iterdir()) / 2**20
    gigabytes = size / 1e9
    return "\n".join(
        [
            f"checkpoint: {arguments.layers} layers of width {arguments.width}, {gigabytes:.3f} GB in float16",
            f"result: {size_of(target) / 1e9:.3f} GB, {size / size_of(target):.2f} times smaller; largest shard {shard:.0f} MB",
            f"anonymous memory: {found['before_mb']:.0f} MB before, at its peak {found['growth_mb']:.0f} MB more; "
            f"one shard and {ALLOWED_MB} MB would be {shard + ALLOWED_MB:.0f} MB",
            f"quantized: {found['wall_s'] / gigabytes:.2f} s/GB ({found['cpu_s'] / gigabytes:.2f} CPU s/GB, "
            f"{arguments.threads} thread{'s' * (arguments.threads > 1)})",
            f"copied: {copied / gigabytes:.2f} s/GB",
        ]
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 2), ("width", 4096), ("inner", 11008), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    if given.child:
        print(json.dumps(quantize(*given.child, given.threads)))
    else:
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
            print(measure(given, Path(folder)))
