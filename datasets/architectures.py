"""The three models, untrained: width 256, four layers, a vocabulary of 1024, 64 tokens of context."""

from __future__ import annotations

import corpus
from tokenizers import Tokenizer
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

WIDTH, LAYERS, HEADS, LLAMA_INNER = 256, 4, 4, 640
BERT_INITIAL = 0.05  # 0.02, the default, is for three times the width: here it would hardly train


def make_gpt2(tokenizer: Tokenizer) -> nn.Module:
    """GPT-2: Conv1D layers, learned positions, head tied to the embedding."""
    end = tokenizer.token_to_id(corpus.END)
    config = GPT2Config(
        vocab_size=corpus.VOCABULARY,
        n_positions=corpus.CONTEXT,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=end,
        eos_token_id=end,
    )
    return GPT2LMHeadModel(config)


def make_llama(tokenizer: Tokenizer) -> nn.Module:
    """Llama: RMSNorm, rotary positions, gated MLP, a head of its own."""
    end = tokenizer.token_to_id(corpus.END)
    config = LlamaConfig(
        vocab_size=corpus.VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=LLAMA_INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=corpus.CONTEXT,
        bos_token_id=end,
        eos_token_id=end,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def make_bert(tokenizer: Tokenizer) -> nn.Module:
    """BERT with a classification head over the families of modules."""
    names = list(corpus.FAMILIES)
    config = BertConfig(
        vocab_size=corpus.VOCABULARY,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=corpus.CONTEXT,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
        initializer_range=BERT_INITIAL,
        pad_token_id=tokenizer.token_to_id(corpus.PAD),
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    return BertForSequenceClassification(config)
