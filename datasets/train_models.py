"""Train the course's three public models, and write models, tokenizers and tokenized rows.

    python train_models.py [--datasets FOLDER] [--only tiny-gpt2] [--threads 1] [--scale 0.1]

About two minutes a model on one core. FOLDER gets models/<name>/ (a standard Hugging Face checkpoint folder, weights
in float16), data/ and its part of manifest.json. What is held back from students is made by hold_back.py.
With the versions in the manifest and the same kind of CPU the files come out equal.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import corpus
import torch
from architectures import WIDTH, make_bert, make_gpt2, make_llama
from rich.progress import track
from shipping import Batch, split_rows, write_model, write_rows
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import GPT2LMHeadModel

HERE = Path(__file__).parent
SEED = 31
WARM_UP = 0.1  # of the steps


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    `first_steps` train the first layer alone (a language model) or the embedding as a bag of words (the classifier): a
    cheap start. Then `steps` train everything, `rows` a batch, `rate` the highest learning rate of AdamW.
    """

    make: Callable[[Tokenizer], nn.Module]
    language: bool
    first_steps: int
    steps: int
    rows: int
    rate: float


RECIPES = {
    "tiny-bert": Recipe(make_bert, language=False, first_steps=1200, steps=500, rows=8, rate=3e-4),
    "tiny-gpt2": Recipe(make_gpt2, language=True, first_steps=800, steps=800, rows=4, rate=1e-3),
    "tiny-llama": Recipe(make_llama, language=True, first_steps=800, steps=800, rows=4, rate=1e-3),
}


# --- training and measuring ---------------------------------------------------------------------


def train(model: nn.Module, steps: int, rate: float, draw: Callable[[], Batch], title: str) -> None:
    """AdamW with a linear warm-up and a cosine to zero; gradients are clipped at norm 1."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=WARM_UP)
    model.train()
    for _ in track(range(steps), description=title):
        loss(model, draw()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval()


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of the labels, or of the next tokens where a batch has no labels."""
    logits = model(**{key: value for key, value in batch.items() if key != "labels"}).logits
    if "labels" in batch:
        return cross_entropy(logits, batch["labels"])
    return cross_entropy(logits[:, :-1].flatten(0, 1), batch["input_ids"][:, 1:].flatten())


@contextlib.contextmanager
def first_layer_alone(model: nn.Module) -> Iterator[None]:
    """The model without its other layers: three times cheaper, and what it learns stays right when they are back."""
    body = model.transformer if isinstance(model, GPT2LMHeadModel) else model.model
    name = "h" if isinstance(model, GPT2LMHeadModel) else "layers"
    layers = getattr(body, name)
    setattr(body, name, layers[:1])
    try:
        yield
    finally:
        setattr(body, name, layers)


def start_as_bag_of_words(
    model: nn.Module, tokenizer: Tokenizer, pieces: Sequence[Sequence[int]], labels: Sequence[int], steps: int
) -> None:
    """Train the word embeddings, averaged, to tell the families apart (fastText, Joulin et al. 2016); 64 rows a
    step.
    """
    words = model.bert.embeddings.word_embeddings.weight
    bag = nn.EmbeddingBag.from_pretrained(words.detach(), freeze=False, padding_idx=tokenizer.token_to_id(corpus.PAD))
    classify = nn.Linear(WIDTH, len(corpus.FAMILIES))
    optimizer = torch.optim.Adam([*bag.parameters(), *classify.parameters()], 2e-3)
    ids, targets = corpus.padded(pieces, tokenizer)["input_ids"], torch.tensor(labels)
    for _ in range(steps):
        chosen = torch.multinomial(evenly(targets), 64)
        cross_entropy(classify(bag(ids[chosen])), targets[chosen]).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        words.copy_(bag.weight)


def evenly(targets: Tensor) -> Tensor:
    """Weights [N] with which every class of `targets` [N] is drawn alike often."""
    return 1.0 / torch.bincount(targets)[targets]


def language_draw(rows: Tensor, size: int) -> Callable[[], Batch]:
    """Windows of CONTEXT tokens that begin anywhere in the training text."""
    flat = rows.flatten()

    def draw() -> Batch:
        starts = torch.randint(len(flat) - corpus.CONTEXT, (size, 1))
        ids = flat[starts + torch.arange(corpus.CONTEXT)]
        return {"input_ids": ids}

    return draw


def passage_draw(
    pieces: Sequence[Sequence[int]], labels: Sequence[int], tokenizer: Tokenizer, size: int
) -> Callable[[], Batch]:
    """Passages of every family alike often, cut at random to half their length or more."""
    targets = torch.tensor(labels)

    def cut(piece: Sequence[int]) -> Sequence[int]:
        length = int(torch.randint(len(piece) // 2, len(piece) + 1, ()))
        start = int(torch.randint(len(piece) - length + 1, ()))
        return piece[start : start + length]

    def draw() -> Batch:
        chosen = torch.multinomial(evenly(targets), size)
        batch = corpus.padded([cut(pieces[row]) for row in chosen.tolist()], tokenizer)
        return {**batch, "labels": targets[chosen]}

    return draw


@torch.no_grad()
def measure(model: nn.Module, rows: Batch, language: bool) -> dict[str, float]:
    """Perplexity over all predicted tokens, or accuracy."""
    chunks = [{key: value[at : at + 32] for key, value in rows.items()} for at in range(0, len(rows["input_ids"]), 32)]
    if language:
        total = sum(loss(model, chunk).item() * len(chunk["input_ids"]) for chunk in chunks)
        return {"perplexity": round(math.exp(total / len(rows["input_ids"])), 2)}
    right = sum(int((model(**{**c, "labels": None}).logits.argmax(-1) == c["labels"]).sum()) for c in chunks)
    return {"accuracy": round(right / len(rows["labels"]), 4)}


# --- the whole ----------------------------------------------------------------------------------


def main(arguments: argparse.Namespace) -> None:
    """Read, tokenize, train, measure, write."""
    torch.set_num_threads(arguments.threads)
    documents = corpus.read_documents()
    if arguments.new_tokenizers:
        texts = [d.text for d in documents if d.split == "training"]
        tokenizers = {True: corpus.train_language_tokenizer(texts), False: corpus.train_passage_tokenizer(texts)}
    else:
        tokenizers = {True: shipped_tokenizer("tiny-gpt2"), False: shipped_tokenizer("tiny-bert")}
    for language, kind in ((True, "language"), (False, "passages")):
        public = ("calibration", "evaluation")
        splits = {split: split_rows(documents, tokenizers[language], split, language) for split in public}
        for split, rows in splits.items():
            write_rows(arguments.datasets, kind, split, rows)
        for name in arguments.only or RECIPES:
            if RECIPES[name].language == language:
                model, facts = trained(name, SEED, documents, tokenizers[language], splits, arguments.scale)
                write_model(arguments.datasets, name, model, tokenizers[language], SEED, facts)


def shipped_tokenizer(name: str) -> Tokenizer:
    """The tokenizer beside this script: all models, and whoever trains again, must number the tokens alike."""
    return Tokenizer.from_file(str(HERE / "models" / name / "tokenizer.json"))


def trained(
    name: str,
    seed: int,
    documents: Sequence[corpus.Document],
    tokenizer: Tokenizer,
    splits: Mapping[str, Batch],
    scale: float,
) -> tuple[nn.Module, dict[str, object]]:
    """(`name`, trained with `seed` on the documents' training split; its measure on each of `splits`, its steps)."""
    recipe = RECIPES[name]
    first, steps = round(recipe.first_steps * scale), round(recipe.steps * scale)
    torch.manual_seed(seed)
    model = recipe.make(tokenizer)
    began = time.process_time()
    if recipe.language:
        draw = language_draw(corpus.language_rows(documents, tokenizer, "training"), recipe.rows)
        with first_layer_alone(model):
            train(model, first, recipe.rate, draw, f"{name}, first layer")
    else:
        pieces, labels = corpus.passages(documents, tokenizer, "training")
        start_as_bag_of_words(model, tokenizer, pieces, labels, first)
        draw = passage_draw(pieces, labels, tokenizer, recipe.rows)
    train(model, steps, recipe.rate, draw, name)
    seconds = round(time.process_time() - began)
    measured = {split: measure(model, rows, recipe.language) for split, rows in splits.items()}
    facts: dict[str, object] = {
        f"{split}_{key}": value for split, found in measured.items() for key, value in found.items()
    }
    print(f"{name}: {seconds} CPU seconds, {facts}")
    return model, {**facts, "steps": [first, steps]}


def parse(words: Iterable[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, default=HERE, help="where all of it goes")
    parser.add_argument("--only", action="append", choices=list(RECIPES), help="train only this model; may be repeated")
    parser.add_argument("--threads", type=int, default=1, help="other numbers give other roundings, so other files")
    parser.add_argument("--new-tokenizers", action="store_true", help="train them, too, instead of the shipped ones")
    parser.add_argument("--scale", type=float, default=1.0, help="of the steps: 0.1 for a trial")
    return parser.parse_args(None if words is None else list(words))


if __name__ == "__main__":
    main(parse())
