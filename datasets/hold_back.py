"""Make what is held back from students: a secret, data and models that nobody can make without it.

    python hold_back.py [--new-secret] [--solutions FOLDER] [--threads 1] [--scale 0.1]

About seven minutes on one core. FOLDER (solutions/) gets held_back/, with an evaluation split and one model of each
kind, and secret.txt: 128 random bits, from which the split and every seed are derived (HMAC-SHA256 of their names).
The secret is read from PTQLAB_SECRET, then from the file; where there is none, or with --new-secret, it is drawn.
This recipe ships; secret.txt and held_back/ must never reach students.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import corpus
import torch
from shipping import EVALUATION_ROWS, Batch, split_rows, write_model, write_rows
from tokenizers import Tokenizer
from train_models import HERE, RECIPES, shipped_tokenizer, trained

VARIABLE, FILE = "PTQLAB_SECRET", "secret.txt"
BITS = 128


def secret_of(solutions: Path, new: bool = False) -> bytes:
    """Return the secret: what PTQLAB_SECRET states, what the file holds, or a new one where there is none."""
    path, stated = solutions / FILE, os.environ.get(VARIABLE)
    if stated and new:
        raise SystemExit(f"{VARIABLE} is set, so no new secret is drawn. Unset it, or leave out --new-secret.")
    if not stated and (new or not path.is_file()):
        return secrets.token_bytes(BITS // 8)
    text = stated or path.read_text(encoding="utf-8")
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) * 8 != BITS:
        source = VARIABLE if stated else path
        raise SystemExit(f"expected {BITS // 4} hexadecimal digits in {source}; draw them with --new-secret.")
    return secret


def keep(secret: bytes, solutions: Path) -> None:
    """Write the secret into its file, for its owner alone, unless PTQLAB_SECRET states it."""
    if not os.environ.get(VARIABLE):
        path = solutions / FILE
        path.write_text(secret.hex() + "\n", encoding="ascii")
        path.chmod(0o600)


def seed_of(secret: bytes, name: str) -> int:
    """Return the seed of 63 bits for `name`."""
    return int.from_bytes(corpus.derived(secret, f"seed {name}")[:8], "big") >> 1


def held_back_rows(secret: bytes, documents: Sequence[corpus.Document], tokenizer: Tokenizer, language: bool) -> Batch:
    """Return the held-back evaluation rows of `documents`, which `drawn_by` has drawn with the same secret."""
    seed = seed_of(secret, f"rows language={language}")
    return split_rows(documents, tokenizer, "held_back", language, seed)


def main(arguments: argparse.Namespace) -> None:
    """Draw, train and write beside the old folder, and put the new one in its place when all is there."""
    torch.set_num_threads(arguments.threads)
    secret = secret_of(arguments.solutions, arguments.new_secret)
    documents = corpus.drawn_by(secret, corpus.read_documents())
    folder, made = arguments.solutions / "held_back", arguments.solutions / "held_back.new"
    shutil.rmtree(made, ignore_errors=True)
    for language, kind, of in ((True, "language", "tiny-gpt2"), (False, "passages", "tiny-bert")):
        tokenizer = shipped_tokenizer(of)
        rows = held_back_rows(secret, documents, tokenizer, language)
        if len(rows["input_ids"]) < EVALUATION_ROWS:
            raise SystemExit("this secret leaves a family with too few passages; draw another with --new-secret.")
        write_rows(made, kind, "evaluation", rows, seed=None)
        splits = {
            "evaluation": split_rows(documents, tokenizer, "evaluation", language),
            "held_back": rows,
        }
        for name in (name for name, recipe in RECIPES.items() if recipe.language == language):
            model, facts = trained(name, seed_of(secret, name), documents, tokenizer, splits, arguments.scale)
            write_model(made, name, model, tokenizer, None, facts)
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)
    keep(secret, arguments.solutions)


def parse(words: Iterable[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new-secret", action="store_true", help="draw another secret, even where there is one")
    parser.add_argument("--solutions", type=Path, default=HERE.parent / "solutions", help="where all of it goes")
    parser.add_argument("--threads", type=int, default=1, help="other numbers give other roundings, so other files")
    parser.add_argument("--scale", type=float, default=1.0, help="of the steps: 0.1 for a trial")
    return parser.parse_args(None if words is None else list(words))


if __name__ == "__main__":
    main(parse())
