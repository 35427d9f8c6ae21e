"""The figures of docs/figures.md: what is stored is counted once, and what is measured is what the method makes."""

from __future__ import annotations

import re

import figures
import pytest
import torch
from support import ROOT
from torch import nn


class Tied(nn.Module):
    """An embedding [10, 256] that is the head, too, and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Embedding(10, 256), nn.LayerNorm(256)
        self.head = nn.Linear(256, 10, bias=False)
        self.head.weight = self.embedding.weight


@pytest.mark.parametrize(
    ("bits", "rows", "size"),
    [
        (8, figures.per_tensor, 2560 + 4 + 2048),
        (8, figures.per_channel, 2560 + 10 * 4 + 2048),
        (4, figures.in_groups, 1280 + 20 * 4 + 2048),
    ],
)
def test_codes_scales_and_what_stays_float_are_counted_and_a_tied_weight_once(
    bits: int, rows: object, size: int
) -> None:
    model = Tied()
    assert figures.Form(model).size() == 4 * (2560 + 512)
    form = figures.rounded(model, bits, rows)  # type: ignore[arg-type]
    assert form.size() == size
    assert form.model.head.weight is form.model.embedding.weight
    assert not torch.equal(form.model.head.weight, model.head.weight)


def test_every_row_has_a_scale_of_its_own() -> None:
    rows = torch.tensor([[127.0, -3.4], [0.127, 0.0634], [0.0, 0.0]])
    assert torch.allclose(figures.round_rows(rows, 8), torch.tensor([[127.0, -3.0], [0.127, 0.063], [0.0, 0.0]]))


def test_the_page_has_every_method_for_every_model() -> None:
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    tables = page.split("\n## ")[1:]
    methods = [title for title, _ in figures.forms(Tied(), [])]
    assert [table.splitlines()[0].split(",")[0] for table in tables] == [
        name for name in figures.MODELS for _ in range(2)
    ]
    for table in tables:
        assert re.findall(r"^\| (.+?) \| [\d.]+ \| [\d.]+", table, re.MULTILINE) == methods
