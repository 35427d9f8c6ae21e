"""Public tests of exercise 05: a small Llama checkpoint goes in, and what comes out is looked at as files.

`student.f(x)` calls the student's f; `student.remote.checkpoint(…)` writes a checkpoint where the student's code can
read
it; `expect_checkpoint` says what a wrong answer looks like. The packed format is free, so values are seen in two ways
only: which bytes a changed weight changes (5.1), and what the loaded model predicts (5.2). `holds_the_weights` asks for
no more than that something of the weights is in the files.
"""

from pathlib import Path

import pytest
import torch

from autograder.lab.models import batches, load_batches, load_model
from autograder.lab.rescaling.column_blocks import with_uneven_channels
from autograder.runtime import kit
from autograder.runtime.kit.checkpoint import llama_config, llama_shapes
from autograder.testing import checkpoint_probes, expect, expect_checkpoint

DATASETS = Path(__file__).parents[2] / "datasets"
LEAST_RATIO = 3.4  # float16 in 4 bits: 3.88 with float16 scales, 3.76 with float32; in 5 bits 3.1, head unpacked 3.2
ALLOWED_MB = 16
NOISE_MARGIN = 2.0  # 4 bits in groups of 128 cost about as much KL as noise of the same size; 3 bits 5 times as much


def random_state(config, rng, dtype=torch.float16):
    """Weights of a Llama model, norms near 1."""
    shapes = llama_shapes(config).items()
    values = {name: torch.randn(shape, generator=rng) for name, shape in shapes}
    return {name: (0.05 * v if v.dim() == 2 else 1 + 0.1 * v).to(dtype) for name, v in values.items()}


def small_checkpoint(student, rng):
    """(folder, config, state) of a float16 checkpoint in two shards, as the student's code sees it."""
    config = llama_config(2, 256, 384, 384)
    state = random_state(config, rng)
    return student.remote.checkpoint(config, state), config, state


# ------------------------------------------------------------------ 5.1 quantize_checkpoint


@pytest.mark.task("5.1", item="values")
def test_all_files_together_are_four_bits_a_weight(student, rng):
    """Every file counts: a float16 checkpoint becomes at least 3.4 times smaller, embedding and head included."""
    expect_checkpoint.holds_the_weights(student, rng)
    source, _, state = small_checkpoint(student, rng)
    files = expect_checkpoint.quantized(student, source)
    expect_checkpoint.compressed(files, sum(tensor.nbytes for tensor in state.values()), LEAST_RATIO)


@pytest.mark.task("5.1", item="values")
def test_index_and_config_describe_what_was_written(student, rng):
    """The new index names each tensor that was written and its file; config.json still says what model it is."""
    expect_checkpoint.holds_the_weights(student, rng)
    source, config, _ = small_checkpoint(student, rng)
    files = expect_checkpoint.quantized(student, source)
    expect_checkpoint.index_is_true(files)
    expect_checkpoint.config_kept(files, config)


@pytest.mark.task("5.1", item="values")
def test_norms_are_kept(student, rng):
    """The norms' weights are few and delicate: they stand in the target as floats, with their values."""
    expect_checkpoint.holds_the_weights(student, rng)
    source, _, state = small_checkpoint(student, rng)
    expect_checkpoint.norms_kept(expect_checkpoint.quantized(student, source), state)


@pytest.mark.task("5.1", item="values")
def test_a_changed_weight_changes_the_files(student, rng):
    """In groups of 128, a weight that moves from -0.55 to 0.55 steps off a level gets another code, in each matrix."""
    config = llama_config(1, 256, 256, 128)
    checkpoint_probes.check(student, config, rng, torch.float16, LEAST_RATIO)


@pytest.mark.task("5.1", item="values")
def test_smaller_groups_have_more_scales(student, rng):
    """Groups of 64 have twice as many scales as groups of 128, of 2 or 4 bytes each: the files grow by as much."""
    source, _, state = small_checkpoint(student, rng)
    weights = sum(tensor.numel() for tensor in state.values() if tensor.dim() == 2)
    coarse, fine = (expect_checkpoint.quantized(student, source, group_size=size) for size in (128, 64))
    more = expect_checkpoint.size(fine) - expect_checkpoint.size(coarse)
    least = 0.9 * 2 * weights * (1 / 64 - 1 / 128)
    values = f"{more} bytes more, expected at least {least:.0f}"
    expect.that(more >= least, "the files hardly grow with more groups: is group_size used?", values)


def growth_mb(student, layers):
    """The peak of anonymous memory in a fresh process while it quantizes so many layers; None where it can't be
    told.
    """
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
def test_memory_does_not_grow_with_the_model(student, rng):
    """A model of four times as many layers takes at most 16 MB and one shard more memory.

    Linux alone tells how much of it counts; elsewhere this is not looked at.
    """
    expect_checkpoint.holds_the_weights(student, rng)
    small, large = growth_mb(student, 18), growth_mb(student, 72)
    if small is None or large is None:
        print("memory is not looked at: only Linux tells how much of it is anonymous")
        return
    shard = 2 * (4 * 256 * 256 + 3 * 256 * 768) / 2**20
    values = f"{small:.0f} MB at the peak, {large:.0f} MB on a model four times larger"
    expect.that(large - small <= ALLOWED_MB + shard, "memory grows with the model: something collects tensors", values)


@pytest.mark.task("5.1", item="errors")
def test_a_missing_shard_leaves_nothing_behind(student, rng):
    """The index names a shard that is not there: an error, and no file in the target folder or beside it."""
    source, _, _ = small_checkpoint(student, rng)
    files = student.remote.files(source)
    files = {name: data for name, data in files.items() if name != "model-00002-of-00002.safetensors"}
    expect_checkpoint.nothing_left(student, student.remote.put(files), "the second shard was missing")


@pytest.mark.task("5.1", item="errors")
def test_bits_out_of_range_are_refused(student, rng):
    """`bits` outside 2…8 is a ValueError."""
    source, root = small_checkpoint(student, rng)[0], student.remote.folder()
    for bits in (1, 9):

        def call(bits=bits):
            student.quantize_checkpoint(source, f"{root}/quantized", bits=bits)

        expect.raises(ValueError, call, because=f"bits was {bits}")


@pytest.mark.task("5.1", item="inputs")
def test_other_dtypes_of_the_source(student, rng):
    """bfloat16 and float32 checkpoints become as small as float16 ones, and follow their weights."""
    config = llama_config(1, 256, 256, 128)
    for dtype, times in ((torch.bfloat16, 1), (torch.float32, 2)):
        state = random_state(config, rng, dtype)
        before = sum(tensor.nbytes for tensor in state.values())
        first = expect_checkpoint.quantized(student, student.remote.checkpoint(config, state))
        expect_checkpoint.compressed(first, before, LEAST_RATIO * times * 0.95)
        state["lm_head.weight"][3].neg_()
        changed = expect_checkpoint.changed_bytes(
            first, expect_checkpoint.quantized(student, student.remote.checkpoint(config, state))
        )
        expect.that(64 <= changed <= 512, "a row was changed, and the files did not follow it", f"{changed} bytes")


@pytest.mark.task("5.1", item="inputs")
def test_eight_bits_are_eight(student, rng):
    """With 8 bits a weight of 1.2 in ±127 is the code 1 and one of 2.3 is 2; four bits would see no difference."""
    config = llama_config(1, 128, 128, 128)
    state = {n: torch.ones(shape, dtype=torch.float16) for n, shape in llama_shapes(config).items()}
    matrices = [weight for weight in state.values() if weight.dim() == 2]
    for weight in matrices:
        weight.copy_((torch.rand(weight.shape, generator=rng) * 200 - 100).round())
        weight[:, 0], weight[5, 7:11] = 127.0, 1.2
    files = expect_checkpoint.quantized(student, student.remote.checkpoint(config, state), bits=8)
    for weight in matrices:
        weight[5, 7:11] = 2.3
    changed = expect_checkpoint.changed_bytes(
        files, expect_checkpoint.quantized(student, student.remote.checkpoint(config, state), bits=8)
    )
    values = f"{changed} bytes differ for {4 * len(matrices)} weights"
    expect.that(changed >= 4 * len(matrices), "with 8 bits the steps are coarser than those of 8 bits", values)


@pytest.mark.task("5.1", item="state")
def test_the_source_stays_and_nothing_stands_beside_the_target(student, rng):
    """The source's files are as they were, and no unfinished folder is left beside the target."""
    source, _, _ = small_checkpoint(student, rng)
    before, root = student.remote.files(source), student.remote.folder()
    student.quantize_checkpoint(source, f"{root}/{expect_checkpoint.TARGET}")
    files = expect_checkpoint.below_target(student, root, alone=True)
    expect_checkpoint.total_is_true(files)
    expect.that(expect_checkpoint.same(before, student.remote.files(source)), "the source's files were changed")


# ------------------------------------------------------------------ 5.2 load_checkpoint


def loaded_logits(student, files, given):
    """The loaded model's logits, in a fresh process that has only these files."""
    student.fresh()
    folder = student.remote.put(files)
    try:
        (found,) = student.remote.logits(student.load_checkpoint(folder), [given])
    finally:
        student.remote.discard(folder)
    return expect.tensor(found, "the logits", shape=(*given["input_ids"].shape, found.shape[-1]))


def moved(weight, rng, group=128):
    """The weight, each element moved at random by at most half a 4-bit step of its group: as far as rounding may."""
    groups = weight.float().unflatten(1, (-1, group))
    half_step = groups.abs().amax(dim=-1, keepdim=True) / 14
    noise = 2 * torch.rand(groups.shape, generator=rng) - 1
    return (groups + half_step * noise).flatten(1)


def uneven(weight, group=128):
    """A matrix whose rows, and groups within a row, differ in size: one scale for more than a group is too coarse."""
    if weight.dim() == 1:
        return weight
    of_groups = torch.where(torch.arange(weight.shape[1]) // group % 2 == 1, 1.0, 0.125)
    of_rows = torch.where(torch.arange(weight.shape[0]) % 8 == 0, 1.0, 0.125)
    return weight * of_groups * of_rows[:, None]


def check_predictions(student, rng, config, state, given):
    """From the files alone, in a fresh process: KL from the float model at most twice that of noise of 4-bit size."""
    with torch.no_grad():
        wide = {name: value.float() for name, value in state.items()}
        want = kit.model("LlamaForCausalLM", config, wide)(**given).logits
        noisy = {name: moved(value, rng) if value.dim() == 2 else value for name, value in wide.items()}
        noise = expect_checkpoint.divergence(want, kit.model("LlamaForCausalLM", config, noisy)(**given).logits)
    files = expect_checkpoint.quantized(student, student.remote.checkpoint(config, state, shards=3))
    expect_checkpoint.compressed(files, sum(tensor.nbytes for tensor in state.values()), LEAST_RATIO)
    found, limit = expect_checkpoint.divergence(want, loaded_logits(student, files, given)), NOISE_MARGIN * noise
    expect.that(
        found <= limit, "the loaded model predicts too differently", f"KL {found:.4g} nats, expected {limit:.4g}"
    )


@pytest.mark.task("5.2", item="values")
def test_predictions_survive_in_a_fresh_process(student, rng):
    """A trained model, quantized, loaded where only its files are: KL at most twice that of random noise of 4-bit
    size.
    """
    folder = DATASETS if DATASETS.is_dir() else None
    model = with_uneven_channels(load_model("tiny-llama", folder=folder))
    (given,) = batches(load_batches("tiny-llama", "evaluation", folder=folder), 1, 16, rng)
    state = {name: value.half() for name, value in model.state_dict().items()}
    check_predictions(student, rng, model.config.to_dict(), state, given)


@pytest.mark.task("5.2", item="values")
def test_the_config_says_what_is_built(student, rng):
    """A Llama with fewer heads for keys, rms_norm_eps 0.05, rope_theta 100, and rows and groups that differ in size."""
    rope = {"rope_theta": 100.0, "rope_type": "default"}
    config = llama_config(2, 256, 256, 128, num_key_value_heads=2, rms_norm_eps=0.05, rope_parameters=rope)
    state = {name: uneven(value) for name, value in random_state(config, rng).items()}
    check_predictions(student, rng, config, state, {"input_ids": torch.randint(0, 128, (4, 32), generator=rng)})


@pytest.mark.task("5.2", item="extremes")
def test_a_row_of_zeros_stays_zero(student, rng):
    """A token whose embedding is all zero, as padding has, gives finite logits, and the others keep theirs."""
    config = llama_config(1, 128, 128, 64)
    state = random_state(config, rng)
    state["model.embed_tokens.weight"][3] = 0
    files = expect_checkpoint.quantized(student, student.remote.checkpoint(config, state))
    logits = loaded_logits(student, files, {"input_ids": torch.tensor([[3, 1, 3, 60]])})
    expect.that(bool(torch.isfinite(logits).all()), "the logits hold NaN or infinity")
    zero = logits[0, 0].abs().max() <= 1e-5 * logits.abs().max()
    expect.that(bool(zero), "the logits of a sequence of nothing but zeros are not zero")


@pytest.mark.task("5.2", item="inputs")
def test_other_bits_groups_and_a_tied_head_are_read_back(student, rng):
    """8 bits in groups of 64, and a checkpoint whose embedding serves as head: the loaded model predicts as before."""
    for more, options, most in (({}, {"bits": 8, "group_size": 64}, 0.02), ({"tie_word_embeddings": True}, {}, 0.6)):
        config = llama_config(1, 128, 128, 64, **more)
        state = random_state(config, rng)
        given = {"input_ids": torch.arange(32)[None]}
        with torch.no_grad():
            wide = {name: value.float() for name, value in state.items()}
            want = kit.model("LlamaForCausalLM", config, wide)(**given).logits
        files = expect_checkpoint.quantized(student, student.remote.checkpoint(config, state), **options)
        found = loaded_logits(student, files, given)
        off = float((found - want).norm() / want.norm())
        expect.that(off <= most, "the loaded model predicts too differently", f"off by {off:.2g}, at most {most}")


@pytest.mark.task("5.2", item="extremes")
def test_constant_rows_keep_their_value(student, rng):
    """Rows whose weights are all the same are their own largest: the logits are those of the float model."""
    config = llama_config(1, 128, 128, 64)
    state = random_state(config, rng)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        state[name] = (0.02 * torch.arange(1, 65)[:, None]).expand(64, 128).half()
    for name in ("self_attn.o_proj", "mlp.down_proj"):
        state[f"model.layers.0.{name}.weight"].zero_()
    files = expect_checkpoint.quantized(student, student.remote.checkpoint(config, state))
    given = {"input_ids": torch.tensor([[3, 1, 60]])}
    with torch.no_grad():
        wide = {name: value.float() for name, value in state.items()}
        want = kit.model("LlamaForCausalLM", config, wide)(**given).logits
    found = loaded_logits(student, files, given)
    expect.close(found, want, "the logits", rtol=2e-3)


@pytest.mark.task("5.2", item="state")
def test_loading_leaves_the_files_alone(student, rng):
    """The folder can be loaded twice: nothing in it changes, and both models answer the same."""
    config = llama_config(1, 128, 128, 64)
    files = expect_checkpoint.quantized(student, student.remote.checkpoint(config, random_state(config, rng)))
    student.fresh()
    folder = student.remote.put(files)
    given = [{"input_ids": torch.tensor([[3, 1, 60]])}]
    first, second = (student.remote.logits(student.load_checkpoint(folder), given)[0] for _ in range(2))
    expect.that(torch.equal(first, second), "loading twice gives two models")
    expect.that(expect_checkpoint.same(files, student.remote.files(folder)), "loading changed the files")
