"""The course's text: the help topics and docstrings that every Python ships, split by document, as rows of tokens.

A document is one help topic (pydoc_data.topics) or one docstring of the standard library. A document's own sha256
says which public split it belongs to, so no document is in two splits, and the same text is always in the same one.
Which of the others are held back, only a secret says (`drawn_by`).
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pydoc_data.topics import topics

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

CONTEXT, VOCABULARY = 64, 1024
SHORTEST, SHORTEST_PASSAGE = 40, 24  # characters of a document; tokens of a passage
# percent of the documents; the rest is for training. No public model has seen the spare ones
SHARES = {"calibration": 10, "evaluation": 12, "spare": 12}
HELD_BACK_SHARE = 20  # percent of what is in no public split
SKIPPED = {"test", "tests", "idle_test", "site-packages", "lib2to3", "pydoc_data", "__phello__", "ensurepip"}
END, PAD, UNKNOWN, START, STOP = "<|endoftext|>", "[PAD]", "[UNK]", "[CLS]", "[SEP]"

# which family of modules a passage comes from: the classifier's task
FAMILIES = {
    "windows and drawing": "tkinter idlelib turtle turtledemo curses",
    "internet": "email http urllib smtplib imaplib poplib ftplib nntplib telnetlib smtpd xmlrpc wsgiref ipaddress ssl "
    "socket socketserver cgi cgitb webbrowser mailbox html netrc selectors asyncore asynchat uuid",
    "numbers and time": "_pydecimal decimal fractions statistics random numbers datetime calendar colorsys bisect "
    "heapq secrets hashlib hmac zoneinfo _strptime graphlib",
    "concurrency": "asyncio threading multiprocessing concurrent subprocess queue sched contextlib contextvars signal "
    "_weakrefset weakref _threading_local pty",
    "files and formats": "os shutil tarfile zipfile pathlib posixpath ntpath genericpath glob fnmatch tempfile "
    "_pyio io "
    "json xml plistlib csv configparser pickle pickletools shelve dbm sqlite3 gzip bz2 lzma fileinput "
    "filecmp aifc wave "
    "chunk sunau codecs encodings stat zipapp tomllib",
    "testing and debugging": "unittest doctest pdb bdb trace traceback logging warnings timeit profile cProfile pstats "
    "cmd code codeop difflib faulthandler tracemalloc",
    "building and importing": "distutils importlib zipimport pkgutil runpy modulefinder venv sysconfig site py_compile "
    "compileall platform optparse argparse getopt _osx_support _sysconfigdata",
    "language and types": "typing enum ast abc _collections_abc _py_abc collections dataclasses functools types "
    "inspect "
    "pydoc dis opcode tokenize token keyword symtable re sre_parse copy copyreg ctypes reprlib pprint string textwrap "
    "operator rlcompleter annotationlib",
}
FAMILY_OF = {module: family for family, modules in FAMILIES.items() for module in modules.split()}


@dataclass(frozen=True)
class Document:
    """One docstring or help topic; `source` is its file or topic, `family` one of FAMILIES or None.

    `split` is "training", "calibration", "evaluation", "spare" or "held_back"; `place` orders a split's documents.
    """

    text: str
    source: str
    family: str | None
    split: str
    place: bytes


def public_document(text: str, source: str, family: str | None) -> Document:
    """Return the document in its public split."""
    place = hashlib.sha256(text.encode()).digest()
    percent = _percent(place)
    for split, share in SHARES.items():
        percent -= share
        if percent < 0:
            return Document(text, source, family, split, place)
    return Document(text, source, family, "training", place)


def drawn_by(secret: bytes, documents: Iterable[Document]) -> list[Document]:
    """Return the documents as a held-back model meets them: the secret says what it learns, and what is held back.

    Documents of the public calibration and evaluation splits stay there: no held-back row is a public one.
    """
    public = {"calibration", "evaluation"}
    return [document if document.split in public else _redrawn(secret, document) for document in documents]


def _redrawn(secret: bytes, document: Document) -> Document:
    place = derived(secret, f"document {document.text}")
    return replace(document, split="held_back" if _percent(place) < HELD_BACK_SHARE else "training", place=place)


def derived(secret: bytes, name: str) -> bytes:
    """Return HMAC-SHA256(secret, name): it says nothing about the secret or other names."""
    return hmac.digest(secret, name.encode(), "sha256")


def _percent(digest: bytes) -> int:
    return int(digest[:4].hex(), 16) % 100


def read_documents() -> list[Document]:
    """All documents, each text once, in alphabetical order of their sources."""
    found: dict[str, Document] = {}
    for document in (*_topics(), *_docstrings()):
        if len(document.text) >= SHORTEST:
            found.setdefault(document.text, document)
    return list(found.values())


def _topics() -> Iterator[Document]:
    for name in sorted(topics):
        yield public_document(_plain(topics[name]), f"topic {name}", None)


def _docstrings() -> Iterator[Document]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if SKIPPED.isdisjoint(parts) and not parts[0].startswith("config-"):
            source = "/".join(parts)
            for text in _docstrings_of(path):
                yield public_document(_plain(text), source, FAMILY_OF.get(parts[0].removesuffix(".py")))


def _docstrings_of(path: Path) -> Iterator[str]:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield text


def _plain(text: str) -> str:
    """Printable ASCII and line breaks only, so that the alphabet is small."""
    return "".join(c for c in text.expandtabs() if c == "\n" or " " <= c <= "~").strip()


# --- tokenizers ---------------------------------------------------------------------------------


def train_language_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Byte-level BPE as in GPT-2, one end-of-text token: decoding gives the text back exactly."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def train_passage_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Lower-case WordPiece as in BERT, with its special tokens."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = [PAD, UNKNOWN, START, STOP]
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    # the trainer numbers equally frequent tokens in a different order each time: number them alphabetically instead
    others = sorted(tokenizer.get_vocab().keys() - set(special))
    tokenizer.model = models.WordPiece({name: n for n, name in enumerate([*special, *others])}, unk_token=UNKNOWN)
    ends = [(name, tokenizer.token_to_id(name)) for name in (START, STOP)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A {STOP}", special_tokens=ends)
    return tokenizer


# --- rows ---------------------------------------------------------------------------------------


def language_rows(documents: Sequence[Document], tokenizer: Tokenizer, split: str) -> Tensor:
    """The split's documents, shuffled by their `place` and joined by end-of-text: int64 [rows, CONTEXT]."""
    chosen = sorted((d for d in documents if d.split == split), key=lambda d: d.place)
    end = tokenizer.token_to_id(END)
    tokens = [token for d in chosen for token in (*tokenizer.encode(d.text).ids, end)]
    rows = len(tokens) // CONTEXT
    return torch.tensor(tokens[: rows * CONTEXT]).view(rows, CONTEXT)


def passages(documents: Sequence[Document], tokenizer: Tokenizer, split: str) -> tuple[list[list[int]], list[int]]:
    """(token ids of each passage without special tokens, its family's number).

    A file's docstrings of the same split are joined, and cut into pieces of at most CONTEXT - 2 tokens.
    """
    joined: dict[tuple[str, str], list[int]] = {}
    for document in documents:
        if document.split == split and document.family is not None:
            ids = tokenizer.encode(document.text, add_special_tokens=False).ids
            joined.setdefault((document.source, document.family), []).extend(ids)
    order = list(FAMILIES)
    length = CONTEXT - 2
    pieces = [
        (ids[at : at + length], order.index(family))
        for (_, family), ids in joined.items()
        for at in range(0, len(ids), length)
        if len(ids) - at >= SHORTEST_PASSAGE
    ]
    return [ids for ids, _ in pieces], [label for _, label in pieces]


def padded(pieces: Sequence[Sequence[int]], tokenizer: Tokenizer) -> dict[str, Tensor]:
    """input_ids and attention_mask, int64 [N, CONTEXT], each piece between [CLS] and [SEP]."""
    pad, start, stop = (tokenizer.token_to_id(name) for name in (PAD, START, STOP))
    ids = torch.full((len(pieces), CONTEXT), pad)
    for row, piece in zip(ids, pieces, strict=True):
        row[: len(piece) + 2] = torch.tensor([start, *piece, stop])
    return {"input_ids": ids, "attention_mask": (ids != pad).long()}
