"""Hidden tests of exercise 05: every matrix of a model, a larger one, broken ones, and a model that no student has.

Docstrings are what a student reads of a hidden test, so they carry no values.
"""

from pathlib import Path

import pytest
import torch

from autograder.lab.models import batches, load_batches, load_model
from autograder.lab.rescaling.column_blocks import with_uneven_channels
from autograder.runtime.kit.checkpoint import llama_config, llama_shapes
from autograder.runtime.kit.modules import model as build
from autograder.testing import checkpoint_probes, expect, expect_checkpoint

HELD_BACK = Path(__file__).parent.parent / "held_back"
LEAST_RATIO = 3.4  # of float16
ALLOWED_MB = 16
CONSTANT_MB = 48  # right answers take at most 10; who takes more at once could hide what grows beneath it
KL_MARGIN = 1.5


def random_checkpoint(student, rng, shards=2):
    """(folder, config, state) of a small float16 checkpoint."""
    config = llama_config(2, 256, 384, 256, num_key_value_heads=2)
    state = checkpoint_probes.probes(config, rng, torch.float16)[0]
    return student.remote.checkpoint(config, state, shards), config, state


# ------------------------------------------------------------------ 5.1 quantize_checkpoint


@pytest.mark.task("5.1", item="values")
def test_every_matrix_has_four_bit_steps_in_every_group(student, rng):
    """In every matrix, weights that are moved by a little more than one 4-bit step of their group get other codes."""
    config = llama_config(2, 256, 384, 256, num_key_value_heads=2)
    checkpoint_probes.check(student, config, rng, torch.float16, LEAST_RATIO)


@pytest.mark.task("5.1", item="values")
def test_other_checkpoints_are_described_and_their_norms_kept(student, rng):
    """With fewer heads for keys than for queries, in other shards: index, config and norms are right."""
    expect_checkpoint.holds_the_weights(student, rng)
    source, config, state = random_checkpoint(student, rng, shards=4)
    files = expect_checkpoint.quantized(student, source)
    expect_checkpoint.index_is_true(files)
    expect_checkpoint.config_kept(files, config)
    expect_checkpoint.norms_kept(files, state)


def growth_mb(student, layers):
    """The peak of anonymous memory in a fresh process while it quantizes so many layers."""
    student.fresh()
    source, root = student.remote.large_checkpoint(layers, 256, 768, 1024), student.remote.folder()
    try:
        with student.measuring():
            student.quantize_checkpoint(source, f"{root}/quantized")
        return student.last_call.peak_growth_mb
    finally:
        student.remote.discard(source)
        student.remote.discard(root)


@pytest.mark.task("5.1", item="values")
def test_memory_stays_flat_on_a_larger_model(student, rng):
    """A large model needs hardly more memory than one of a quarter of its layers: neither source nor result is
    collected.
    """
    expect_checkpoint.holds_the_weights(student, rng)
    small, large = growth_mb(student, 18), growth_mb(student, 72)
    shard = 2 * (4 * 256 * 256 + 3 * 256 * 768) / 2**20
    words = "far more memory is taken than a shard needs, also where the model is small"
    expect.that(small <= CONSTANT_MB, words, f"{small:.0f} MB")
    expect.that(
        large - small <= ALLOWED_MB + shard,
        "memory grows with the model: something collects tensors, of the source or of the result",
    )


@pytest.mark.task("5.1", item="errors")
def test_a_broken_last_shard_leaves_nothing_behind(student, rng):
    """The last shard ends too early, after others were read: an error, and no file in the target folder or beside
    it.
    """
    source, _, _ = random_checkpoint(student, rng, shards=3)
    files = student.remote.files(source)
    last = max(name for name in files if name.endswith(".safetensors"))
    files[last] = files[last][: len(files[last]) // 2].clone()
    expect_checkpoint.nothing_left(student, student.remote.put(files), "the last shard was cut off")


@pytest.mark.task("5.1", item="errors")
def test_a_tensor_that_the_index_promises_must_be_there(student, rng):
    """A source shard of the right name is empty: an error, not a model with holes."""
    config = llama_config(1, 128, 128, 128)
    state = {name: torch.ones(shape, dtype=torch.float16) for name, shape in llama_shapes(config).items()}
    whole = student.remote.files(student.remote.checkpoint(config, state, shards=2))
    last = max(name for name in whole if name.endswith(".safetensors"))
    whole[last] = torch.zeros(0, dtype=torch.uint8)
    expect_checkpoint.nothing_left(student, student.remote.put(whole), "the last shard was an empty file")


@pytest.mark.task("5.1", item="inputs")
def test_eight_bits_are_eight(student, rng):
    """With 8 bits, weights that are moved by a little more than one 8-bit step of their group get other codes."""
    config = llama_config(1, 256, 256, 128)
    before = checkpoint_probes.probes(config, rng, torch.float32)[0]
    after = {name: tensor.clone() for name, tensor in before.items()}
    matrices = [name for name, tensor in before.items() if tensor.dim() == 2]
    for name in matrices:
        rows = torch.arange(checkpoint_probes.EACH)
        columns = torch.randint(1, 128, (checkpoint_probes.EACH,), generator=rng)
        step = before[name][rows, 0].abs() / 127  # the first of each group is its largest
        before[name][rows, columns] = (torch.arange(checkpoint_probes.EACH) % 60 - 30 - 0.55) * step
        after[name][rows, columns] = before[name][rows, columns] + 1.1 * step
    first, second = (
        expect_checkpoint.quantized(student, student.remote.checkpoint(config, state), bits=8)
        for state in (before, after)
    )
    words = "with 8 bits many codes stayed: the steps are coarser than those of 8 bits"
    checkpoint_probes.check_traces(first, second, checkpoint_probes.EACH * len(matrices), words)


@pytest.mark.task("5.1", item="values")
def test_group_size_is_obeyed(student, rng):
    """Smaller groups have more scales, and the files grow by as much."""
    source, _, state = random_checkpoint(student, rng)
    weights = sum(tensor.numel() for tensor in state.values() if tensor.dim() == 2)
    coarse, fine = (expect_checkpoint.quantized(student, source, group_size=g) for g in (128, 32))
    more = expect_checkpoint.size(fine) - expect_checkpoint.size(coarse)
    expect.that(
        more >= 0.9 * 2 * weights * (1 / 32 - 1 / 128), "the files hardly grow with more groups: is group_size used?"
    )


@pytest.mark.task("5.1", item="inputs")
def test_other_dtypes_of_the_source(student, rng):
    """bfloat16 and float32 checkpoints are packed as well, from their own values."""
    config = llama_config(1, 256, 256, 128)
    for dtype, times in ((torch.bfloat16, 1), (torch.float32, 2)):
        checkpoint_probes.check(student, config, rng, dtype, LEAST_RATIO * times * 0.97)


@pytest.mark.task("5.1", item="state")
def test_the_source_stays_and_nothing_stands_beside_the_target(student, rng):
    """The source's files are as they were, no unfinished folder is left beside the target, and total_size is true."""
    source, _, _ = random_checkpoint(student, rng)
    before, root = student.remote.files(source), student.remote.folder()
    student.quantize_checkpoint(source, f"{root}/{expect_checkpoint.TARGET}")
    files = expect_checkpoint.below_target(student, root, alone=True)
    expect_checkpoint.total_is_true(files)
    expect.that(expect_checkpoint.same(before, student.remote.files(source)), "the source's files were changed")


@pytest.mark.task("5.1", item="errors")
def test_other_bits_are_refused_before_anything_is_written(student, rng):
    """A number of bits that does not exist is a ValueError, and leaves no file."""
    source, _, _ = random_checkpoint(student, rng)
    for bits in (0, 1, 9, 2.5):
        root = student.remote.folder()

        def call(bits=bits, root=root):
            student.quantize_checkpoint(source, f"{root}/{expect_checkpoint.TARGET}", bits=bits)

        expect.raises(ValueError, call, because="the number of bits does not exist")
        expect.that(not student.remote.files(root), "files were written although the number of bits does not exist")


# ------------------------------------------------------------------ 5.2 load_checkpoint


def artifact(student, config, state, **options):
    """The files that `quantize_checkpoint` writes for this model."""
    source = student.remote.checkpoint(config, state, shards=3)
    try:
        return expect_checkpoint.quantized(student, source, **options)
    finally:
        student.remote.discard(source)


def loaded_logits(student, files, given):
    """The loaded model's logits, in a fresh process that has only these files."""
    student.fresh()
    folder = student.remote.put(files)
    try:
        (found,) = student.remote.logits(student.load_checkpoint(folder), [given])
    finally:
        student.remote.discard(folder)
    return found


def check_predictions(student, reference, once, described, given, **options):
    """From the files alone, in a fresh process: KL from the float model at most 1.5 times the reference's."""
    config, state = described
    wide = {name: value.float() for name, value in state.items()}
    with torch.no_grad():
        want = once(f"float {options}", lambda: build("LlamaForCausalLM", config, wide)(**given).logits)
    limit = KL_MARGIN * once(
        f"reference {options}",
        lambda: expect_checkpoint.divergence(
            want, loaded_logits(reference, artifact(reference, config, state, **options), given)
        ),
    )
    files = artifact(student, config, state, **options)
    bits = options.get("bits", 4)
    before = sum(tensor.nbytes for tensor in state.values())
    expect_checkpoint.compressed(files, before, LEAST_RATIO * 4 / bits)
    found = loaded_logits(student, files, given)
    logits = expect.tensor(found, "the logits", shape=want.shape)
    expect.that(bool(torch.isfinite(logits).all()), "the logits hold NaN or infinity")
    expect.that(expect_checkpoint.divergence(want, logits) <= limit, "the loaded model predicts too differently")


def held_back():
    """(config, state in float16) of the model that no student has, its channels made uneven."""
    model = with_uneven_channels(load_model("tiny-llama", folder=HELD_BACK))
    return model.config.to_dict(), {name: value.half() for name, value in model.state_dict().items()}


def another(rng, **more):
    """(config, state in float16) of a random model whose rows and groups differ in size."""
    config = llama_config(2, 256, 384, 256, num_key_value_heads=2, **more)
    state = {}
    for name, shape in llama_shapes(config).items():
        values = torch.randn(shape, generator=rng)
        if len(shape) == 2:  # every other group of a row is eight times as large: one scale a row is too coarse
            values *= torch.where(torch.arange(shape[1]) // 128 % 2 == 1, 1.0, 0.125)
        uneven = torch.exp2(-(torch.arange(shape[0])[:, None] % 4).float()) if len(shape) == 2 else 1
        state[name] = (0.1 * values * uneven if len(shape) == 2 else 1 + 0.3 * values).half()
    return config, state


def tokens(rng, vocabulary=256):
    """A batch of random tokens."""
    return {"input_ids": torch.randint(0, vocabulary, (4, 32), generator=rng)}


@pytest.mark.task("5.2", item="values")
def test_an_unknown_model_predicts_as_well_from_its_files_alone(student, rng, reference, once):
    """A trained model that no student has, on text that it never saw: as near to float as the reference's, from
    files as small.
    """
    (given,) = batches(load_batches("tiny-llama", "evaluation", folder=HELD_BACK), 1, 16, rng)
    check_predictions(student, reference, once, held_back(), given)


@pytest.mark.task("5.2", item="values")
def test_the_config_decides_what_is_built(student, rng, reference, once):
    """Another Llama, with fewer heads for keys and its own constants in config.json, is built as its config says."""
    more = {"rms_norm_eps": 0.02, "rope_parameters": {"rope_theta": 50.0, "rope_type": "default"}}
    check_predictions(student, reference, once, another(rng, **more), tokens(rng))


@pytest.mark.task("5.2", item="inputs")
def test_other_bits_and_groups_are_read_back(student, rng, reference, once):
    """What bits and groups the checkpoint has stands in it: more bits, smaller groups."""
    check_predictions(student, reference, once, another(rng), tokens(rng), bits=8, group_size=64)


@pytest.mark.task("5.2", item="inputs")
def test_a_tied_head_is_stored_once_and_found(student, rng, reference, once):
    """A checkpoint without a head of its own, since the embedding serves as one."""
    check_predictions(student, reference, once, another(rng, tie_word_embeddings=True), tokens(rng))


@pytest.mark.task("5.2", item="extremes")
def test_rows_of_zeros_and_equal_values(student, rng):
    """Tokens whose embeddings are all zero give zeros, and change nothing for the others."""
    config, state = another(rng)
    zero = torch.randperm(256, generator=rng)[:3]
    state["model.embed_tokens.weight"][zero] = 0
    logits = loaded_logits(student, artifact(student, config, state), {"input_ids": zero[None]})
    logits = expect.tensor(logits, "the logits", shape=(1, 3, 256))
    expect.that(bool(torch.isfinite(logits).all()), "the logits hold NaN or infinity")
    expect.that(float(logits.abs().max()) <= 1e-4, "the logits of a sequence of nothing but zeros are not zero")


@pytest.mark.task("5.2", item="state")
def test_loading_leaves_the_files_alone(student, rng):
    """The folder can be loaded as often as one likes: nothing in it changes."""
    config, state = another(rng)
    files = artifact(student, config, state)
    student.fresh()
    folder = student.remote.put(files)
    given = [tokens(rng)]
    first, second = (student.remote.logits(student.load_checkpoint(folder), given)[0] for _ in range(2))
    expect.that(torch.equal(first, second), "loading twice gives two models")
    expect.that(expect_checkpoint.same(files, student.remote.files(folder)), "loading changed the files")
