"""Fuzz one reader: `python -P tests/fuzz/run.py wire --runs 1000000`.

First atheris, where it is installed, looks for inputs that reach new code; then those and the seeds are changed at random,
at several times the speed. Ends with one line of JSON, or with the input that broke a claim.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # -P keeps a script's own folder off the path
from bounds import Bounds  # noqa: E402

READERS: dict[str, tuple[str, ...]] = {  # reader -> the modules whose coverage guides the fuzzer
    "wire": ("autograder.runtime.wire", "autograder.sandbox.replies"),
    "notebook": tuple(
        f"autograder.submission.{name}"
        for name in "notebook recognition reader cells slicing linking bindings dependencies mutations mending normal_form".split()
    ),
    "archive": ("autograder.sandbox.unpacking", "autograder.grading.archives", "autograder.grading.intake"),
    "child": (),  # what runs there can't be looked at
}
LONGEST = {
    "wire": 512,
    "notebook": 96,
    "archive": 256,
    "child": 96,
}  # bytes of an input: short ones are quick, and most that matters is
SEED = 20261123
MEMORY = 1 << 30  # bytes of address space
GUIDED = 40_000  # of the runs: instrumented code takes several times as long


def seeds(reader: str) -> list[bytes]:
    """The inputs that are kept: by hand, from fuzzing, and each that ever broke a claim."""
    folder = "notebook" if reader == "child" else reader
    return [path.read_bytes() for path in sorted((HERE / "corpus" / folder).iterdir())]


def mutated(seed: bytes, others: list[bytes], chance: random.Random, longest: int) -> bytes:
    """`seed` with a few bytes changed, put in, taken out, repeated, or taken from another."""
    data = bytearray(seed)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at, end = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = chance.randbytes(1)
            case 1:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end]
            case 4:
                other = chance.choice(others)
                data[at:end] = other[at:end]
            case 5:
                data[at:] = chance.choice(others)
    return bytes(data[:longest])


def plain(target: ModuleType, inputs: list[bytes], runs: int, longest: int) -> None:
    """The seeds, then `runs` mutated ones: the same inputs every time, and no coverage."""
    chance = random.Random(SEED)
    for data in inputs:
        target.one(data)
    for number in range(runs):
        if number % 100_000 == 0 and number:
            print(f"{number:,} inputs, {time.process_time():.0f} CPU s", file=sys.stderr, flush=True)
        data = mutated(chance.choice(inputs), inputs, chance, longest)
        try:
            target.one(data)
        except BaseException as error:
            error.add_note(f"the input: {data.hex()}")
            raise


def guided(reader: str, runs: int, corpus: Path) -> None:
    """The same under atheris, which keeps in `corpus` what reaches new code; it ends this process."""
    import atheris

    import_unguided(reader)
    with atheris.instrument_imports(include=list(READERS[reader])):
        for module in READERS[reader]:
            importlib.import_module(module)
    target = importlib.import_module(f"{reader}_target")
    options = [
        f"-atheris_runs={runs}",
        f"-max_len={LONGEST[reader]}",
        "-timeout=60",
        f"-seed={SEED}",
        "-rss_limit_mb=1500",
    ]
    arguments = [
        sys.argv[0],
        str(corpus),
        str(HERE / "corpus" / reader),
        *options,
        f"-artifact_prefix={corpus}/../broken-",
    ]
    atheris.Setup(arguments, target.one)
    atheris.Fuzz()


def import_unguided(reader: str) -> None:
    """Import what the readers build on before the fuzzer looks: it is not to slow it down."""
    if reader == "wire":
        import torch  # noqa: F401

    from autograder import records  # noqa: F401


def lines_reached(reader: str, inputs: list[bytes]) -> dict[str, float]:
    """The share of each module's lines that these inputs run."""
    target = importlib.import_module(f"{reader}_target")
    modules = [importlib.import_module(name) for name in READERS[reader]]
    files = {module.__file__: module for module in modules}
    seen: dict[str | None, set[int]] = {file: set() for file in files}

    def trace(frame, event, _):  # type: ignore[no-untyped-def]
        own = seen.get(frame.f_code.co_filename)
        if own is None:
            return None
        own.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        for data in inputs:
            target.one(data)
    finally:
        sys.settrace(None)
    return {modules[n].__name__: share(file, seen[file]) for n, file in enumerate(files)}


def share(file: str | None, seen: set[int]) -> float:
    """Of the lines within functions: those of a module itself run when it is imported."""
    code = compile(Path(str(file)).read_text(), str(file), "exec")
    todo, every = [code], set()
    while todo:
        current = todo.pop()
        inner = [constant for constant in current.co_consts if hasattr(constant, "co_code")]
        todo += inner
        if current is not code and "__qualname__" not in current.co_names:
            every |= {line for _, _, line in current.co_lines() if line and line != current.co_firstlineno}
    return round(len(every & seen) / len(every), 3)


def main() -> None:
    """Run and sum up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--corpus", type=Path, help="a folder to keep what reaches new code in")
    parser.add_argument("--guided", type=int, default=GUIDED, help="how many of them under atheris")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        guided(options.reader, options.runs, options.corpus)
    print(json.dumps(fuzz(options.reader, options.runs, options.guided, options.corpus)))


def fuzz(reader: str, runs: int, most_guided: int, kept: Path | None) -> dict[str, object]:
    """Both parts, and their figures."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        corpus = kept or Path(folder) / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        can_guide = READERS[reader] and importlib.util.find_spec("atheris")
        share = min(most_guided, runs) if can_guide else 0
        if share:
            command = [sys.executable, "-P", __file__, reader, "--child", f"--runs={share}", f"--corpus={corpus}"]
            if code := subprocess.run(command).returncode:
                sys.exit(code)
        inputs = list(dict.fromkeys([*seeds(reader), *(path.read_bytes() for path in sorted(corpus.iterdir()))]))
    target = importlib.import_module(f"{reader}_target")
    if reader in ("notebook", "archive"):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # as the child that reads has it
    Bounds.forget()
    plain(target, inputs, runs - share, LONGEST[reader])
    child, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    return {
        "reader": reader,
        "runs": runs,
        "with coverage": share,
        "wall_s": round(time.monotonic() - started),
        "cpu_s": round(child.ru_utime + child.ru_stime + own.ru_utime + own.ru_stime),
        "peak_mb": own.ru_maxrss >> 10,
        "grown_mb": round(Bounds.grown_mb()),
        "corpus": len(inputs),
        "lines": lines_reached(reader, inputs),
    }


if __name__ == "__main__":
    main()
