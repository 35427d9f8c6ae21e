"""Near-identical code: what a copyist changes first does not hide it, and what everybody was given does not make it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from autograder.grading import similarity
from autograder.grading.similarity import groups
from autograder.submission import normal_form
from autograder.submission.normal_form import definitions, fingerprint

ORIGINAL = '''
import torch

def symmetric(tensor, bits=8):
    """Quantize."""
    limit = 2 ** (bits - 1) - 1
    largest = tensor.abs().max()
    if largest == 0:
        raise ValueError(f"no range in {tensor}")
    return torch.clamp((tensor / largest * limit).round(), -limit, limit).to(torch.int8), largest / limit

class Quantizer:
    def __init__(self, bits):
        self.bits = bits
'''
DISGUISED = '''
class Quantizer:
    def __init__(self, number_of_bits: int) -> None:
        """My own words."""
        self.how_many = number_of_bits


def symmetric(x: torch.Tensor, b: int = 8) -> tuple:
    # my own comment
    top = 2**(b - 1) - 1
    m   = x.abs().max()
    if m == 0: raise ValueError("nothing " "there")
    return (torch.clamp((x / m * top).round(), -top, top)
            .to(torch.int8), m / top)
import torch
print("an experiment of mine")
'''


def test_names_comments_strings_annotations_layout_and_order_do_not_count() -> None:
    assert fingerprint([ORIGINAL]) == fingerprint([DISGUISED]) != ""


def test_the_order_of_many_definitions_does_not_count() -> None:
    functions = [f"def f{i}(x):\n    return x + {i}\n" for i in range(12)]
    shuffled = random.Random(3).sample(functions, len(functions))
    assert fingerprint(functions) == fingerprint(["\n".join(shuffled)])
    assert fingerprint(functions) == "".join(fingerprint([function]) for function in sorted(functions))


@pytest.mark.parametrize(
    "before, after",
    [
        ("- 1) - 1", "- 1)"),
        (".round()", ".floor()"),
        ("largest == 0", "largest != 0"),
        ("-limit, limit)", "limit, -limit)"),
    ],
)
def test_what_the_code_does_counts(before: str, after: str) -> None:
    assert before in ORIGINAL
    assert fingerprint([ORIGINAL]) != fingerprint([ORIGINAL.replace(before, after)])


def test_a_helper_by_another_name_is_the_same_helper() -> None:
    one = "def graded(x):\n    return helper(x) + 1\ndef helper(x):\n    return x * 2\n"
    assert fingerprint([one]) == fingerprint([one.replace("helper", "hilfe")])
    assert fingerprint([one]) != fingerprint([one.replace("helper(x) + 1", "torch.abs(x) + 1")])


def test_what_was_handed_out_does_not_count() -> None:
    given_out = "def given(a):\n    return a + 1\n\ndef stub(a):\n    raise NotImplementedError\n"
    handed_out = frozenset(tokens for _, tokens in definitions([given_out]))
    assert fingerprint([given_out], handed_out) == ""
    own = "def stub(a):\n    return a * 2\n"
    assert fingerprint([given_out.partition("\n\n")[0], own], handed_out) == fingerprint([own])


def test_cells_that_do_not_parse_cost_only_themselves() -> None:
    broken = [
        "%matplotlib inline\n!pip install x",
        "def broken(:\n",
        ORIGINAL,
        "x = \x00",
        "(" * 5000,
        "lambda: " * 5000 + "1",
        "",
    ]
    assert fingerprint(broken) == fingerprint([ORIGINAL])
    assert fingerprint(["%matplotlib inline\n" + ORIGINAL]) == fingerprint([ORIGINAL])


def test_deep_code_is_walked_without_recursion() -> None:
    deep = "def f(x):\n    return " + "-" * 80 + "x" + ".a" * 900 + "\n"
    assert len(fingerprint([deep])) > 1800


def test_a_number_too_long_to_be_written_is_compared_by_its_start() -> None:
    """CPython writes no number of more than 4300 decimal digits."""
    one, other = (f"def f():\n    return 0x{digit * 6000}\n" for digit in "ef")
    assert fingerprint([one])
    assert fingerprint([one]) != fingerprint([other])


# --- groups -------------------------------------------------------------------------------------


def text(seed: int, length: int = 400, letters: str = "abcdefgh") -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


def changed(original: str, places: int, seed: int = 1) -> str:
    found = list(original)
    for at in random.Random(seed).sample(range(len(found)), places):
        found[at] = "z"
    return "".join(found)


def test_groups_join_what_is_alike_and_say_how_much() -> None:
    original, other = text(1), text(2)
    found = groups({"a": original, "b": original, "c": changed(original, 20), "d": other, "e": other, "f": text(3)})
    assert [group.members for group in found] == [("d", "e"), ("a", "b", "c")]
    assert [group.similarity for group in found] == [1.0, 0.95]


def test_a_pair_counts_from_the_limit_on() -> None:
    original = text(1)
    assert len(groups({"a": original, "b": changed(original, 40)}, least=0.9)) == 1
    assert groups({"a": original, "b": changed(original, 41)}, least=0.9) == ()


def test_what_was_only_added_to_counts_as_alike_as_long_as_it_is() -> None:
    """Of 400 + 488 tokens, 2 × 400 are shared: 90.1 %."""
    original = text(1)
    assert len(groups({"a": original, "b": original + "z" * 88})) == 1
    assert groups({"a": original, "b": original + "z" * 89}) == ()


def test_short_answers_are_not_compared() -> None:
    short = text(1, similarity.LEAST_TOKENS - 1)
    assert groups({"a": short, "b": short}) == ()
    assert len(groups({"a": short + "x", "b": short + "x"})) == 1


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90), st.integers(0, 99)), max_size=8),
    st.sampled_from([0.7, 0.9]),
)
@settings(max_examples=60, deadline=None)
def test_leaving_out_hopeless_pairs_misses_none(made: list[tuple[int, int, int]], least: float) -> None:
    """Every pair that RapidFuzz finds alike is a candidate, edits spread or in one piece."""
    texts = [
        changed(text(seed, 300 + cut), edits, where)[cut:] for seed, edits, where in made for cut in (0, edits // 2)
    ]
    texts = sorted(set(texts), key=len)
    candidates = set(similarity._candidates(texts, least))
    alike = {
        (one, other)
        for one in range(len(texts))
        for other in range(one + 1, len(texts))
        if Indel.normalized_similarity(texts[one], texts[other]) >= least
    }
    assert alike <= candidates


def test_strangers_are_left_out_before_they_are_compared() -> None:
    texts = [text(seed, letters=normal_form.ALPHABET) for seed in range(30)]
    assert list(similarity._candidates(texts, 0.9)) == []
