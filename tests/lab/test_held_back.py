"""What is held back comes from a secret: without it, the recipe that ships makes other data and other models."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from support import ROOT

from autograder.lab.models import load_batches

HELD_BACK, PUBLIC_SEEDS = ROOT / "solutions" / "held_back", (31, 32, 7)
FIRST, SECOND = bytes(range(16)), bytes(range(1, 17))


@pytest.fixture(scope="module")
def recipe() -> Iterator[ModuleType]:
    """datasets/hold_back.py; the folder holds scripts and no package, so it is on the path for this file alone."""
    before = set(sys.modules)
    sys.path.insert(0, str(ROOT / "datasets"))
    import hold_back

    yield hold_back
    sys.path.remove(str(ROOT / "datasets"))
    for name in {"architectures", "corpus", "hold_back", "shipping", "train_models"} - before:
        sys.modules.pop(name, None)


def texts(recipe: ModuleType) -> list[object]:
    return [
        recipe.corpus.public_document(f"Return the {n}-th of all numbers. " * 3, f"{n}.py", None) for n in range(400)
    ]


def held_back(recipe: ModuleType, secret: bytes) -> set[str]:
    return {d.text for d in recipe.corpus.drawn_by(secret, texts(recipe)) if d.split == "held_back"}


def as_secrets() -> list[bytes]:
    """What somebody would try who knows the recipe and the public seeds, but no secret."""
    return [bytes(16), *(n.to_bytes(16, order) for n in PUBLIC_SEEDS for order in ("big", "little"))]


def test_another_secret_holds_other_documents_back_in_another_order(recipe: ModuleType) -> None:
    """A fifth of what is in no public split, drawn anew by each secret, and by no public seed."""
    first, rest = held_back(recipe, FIRST), [d for d in texts(recipe) if d.split in {"training", "spare"}]
    assert first == held_back(recipe, FIRST)
    assert len(first) == pytest.approx(0.2 * len(rest), rel=0.4)
    for secret in (SECOND, *as_secrets()):
        assert len(first & held_back(recipe, secret)) < len(first) / 2, secret


def test_public_splits_know_no_secret(recipe: ModuleType) -> None:
    """No held-back document is one that ships, whatever the secret; the shipped splits stay what they are."""
    for split in ("calibration", "evaluation"):
        shipped = [d for d in texts(recipe) if d.split == split]
        assert shipped
        assert [d for d in recipe.corpus.drawn_by(FIRST, texts(recipe)) if d.split == split] == shipped


def test_another_secret_gives_other_seeds_and_other_weights(recipe: ModuleType) -> None:
    """Seeds of 63 bits, one for each name; a model that was trained with another one has other weights everywhere."""
    names = ("tiny-gpt2", "tiny-llama", "tiny-bert", "rows language=True")
    seeds = [recipe.seed_of(secret, name) for secret in (FIRST, SECOND, *as_secrets()) for name in names]
    assert len({*seeds, *PUBLIC_SEEDS}) == len(seeds) + len(PUBLIC_SEEDS)
    assert max(seeds) > 2**60

    def weights(secret: bytes) -> dict[str, torch.Tensor]:
        documents, tokenizer = recipe.corpus.drawn_by(secret, texts(recipe)), recipe.shipped_tokenizer("tiny-gpt2")
        seed = recipe.seed_of(secret, "tiny-gpt2")
        model, _ = recipe.trained("tiny-gpt2", seed, documents, tokenizer, {}, scale=0.004)
        return {name: weight for name, weight in model.named_parameters() if weight.dim() > 1}

    first, again, other = weights(FIRST), weights(FIRST), weights(SECOND)
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    assert all((weight - other[name]).abs().mean() > weight.abs().mean() / 2 for name, weight in first.items())


def test_a_secret_has_128_bits_and_comes_from_where_it_is_said_to(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PTQLAB_SECRET before the file; a new one where there is none; anything else is one sentence."""
    monkeypatch.delenv("PTQLAB_SECRET", raising=False)
    drawn = recipe.secret_of(tmp_path)
    assert len(drawn) == 16
    assert drawn != recipe.secret_of(tmp_path), "drawn again, since nothing was kept"
    recipe.keep(FIRST, tmp_path)
    assert recipe.secret_of(tmp_path) == FIRST != recipe.secret_of(tmp_path, new=True)
    monkeypatch.setenv("PTQLAB_SECRET", SECOND.hex())
    assert recipe.secret_of(tmp_path) == SECOND
    with pytest.raises(SystemExit, match=r"^PTQLAB_SECRET is set, so no new secret is drawn"):
        recipe.secret_of(tmp_path, new=True)
    monkeypatch.setenv("PTQLAB_SECRET", "32")
    with pytest.raises(SystemExit, match=r"^expected 32 hexadecimal digits in PTQLAB_SECRET"):
        recipe.secret_of(tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("language", [True, False], ids=["language", "passages"])
def test_the_held_back_rows_are_those_of_the_secret_and_of_no_public_seed(recipe: ModuleType, language: bool) -> None:
    """The secret makes the shipped rows again, to the number; what can be tried without it makes hardly one of them."""
    name = "tiny-gpt2" if language else "tiny-bert"
    entries = json.loads((HELD_BACK / "manifest.json").read_text(encoding="utf-8")).values()
    if any(not entry["text"].endswith(f"Python {platform.python_version()}") for entry in entries):
        pytest.skip("another Python has other docstrings")
    kept = load_batches(name, "evaluation", HELD_BACK)["input_ids"]
    documents, tokenizer = recipe.corpus.read_documents(), recipe.shipped_tokenizer(name)

    def made(secret: bytes) -> torch.Tensor:
        return recipe.held_back_rows(secret, recipe.corpus.drawn_by(secret, documents), tokenizer, language)[
            "input_ids"
        ]

    assert torch.equal(made(recipe.secret_of(ROOT / "solutions")), kept)
    rows = {tuple(row) for row in kept.tolist()}
    for secret in as_secrets()[:3]:
        assert len(rows & {tuple(row) for row in made(secret).tolist()}) < len(rows) / 20
