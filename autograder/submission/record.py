"""What the reader says of a file, frame by frame. Every field is capped; whoever decodes a frame enforces the caps."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

MOST_CODE = 1_000_000  # bytes of code in a file; outputs do not count
MOST_FRAME = 8 << 20  # bytes
MOST_NOTES = 20
MOST_HELPERS = 20  # files
LONGEST_SENTENCE = 600  # characters
LONGEST_PIECE, MOST_ASKED = 100_000, 20  # characters, pieces
LONGEST_NAME = 500  # characters, of a file in an archive

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Word: TypeAlias = Annotated[str, Meta(max_length=200)]
Version: TypeAlias = Annotated[str, Meta(max_length=20)]
Hash: TypeAlias = Annotated[str, Meta(max_length=64)]
Sentence: TypeAlias = Annotated[str, Meta(max_length=LONGEST_SENTENCE)]
Places: TypeAlias = Annotated[dict[Word, tuple[Word, Word]], Meta(max_length=100)]
Words: TypeAlias = Annotated[list[Word], Meta(max_length=100)]


class At(Struct, tag="at"):
    """Where the reader is: the last place names the cell when the reader ends without a word."""

    place: Word


class Look(Struct, tag="look", kw_only=True):
    """What a file is, found without compiling anything. `problem`: why nothing of it can be graded."""

    kind: Version  # notebook, script, text, json, zip, pdf, image, …
    language: Word = ""  # of the notebook's kernel
    python: Version = ""  # the version that the notebook says made it
    nbformat: Annotated[int, Meta(ge=0, le=99)] = 0
    code_bytes: Count = 0
    code_cells: Count = 0
    code_sha256: Hash = ""  # of the code alone, without blank cells and the space at the ends of cells
    ids: Annotated[dict[str, Count], Meta(max_length=50)] = {}  # lab -> handed-out cell ids that are there
    names: Annotated[dict[str, Words], Meta(max_length=50)] = {}  # lab -> graded names that are bound there
    in_text: Words = []  # graded names that cells without code define
    stub_of: Word = ""  # the lab whose notebook this is, as it was handed out
    writes: Annotated[list[Word], Meta(max_length=50)] = []  # modules that %%writefile makes
    imports: Annotated[list[Word], Meta(max_length=200)] = []  # top-level packages
    problem: Sentence = ""


class Code(Struct, tag="code", kw_only=True):
    """What is graded of a file, for one lab."""

    lab: Word
    source: Annotated[str, Meta(max_length=1_200_000)]  # characters: the code and the markers of cells
    helpers: Annotated[dict[Word, Annotated[str, Meta(max_length=1_200_000)]], Meta(max_length=MOST_HELPERS)] = {}
    # file -> text
    late_annotations: bool = False  # the Python that made it evaluates no annotation of a function
    needs_python: Places = {}  # graded name -> the newer Python that it is written for, and where
    absent: Places = {}  # name -> the package that isn't here, and where it is imported
    lost: Annotated[dict[Word, Annotated[list[Sentence], Meta(max_length=MOST_NOTES)]], Meta(max_length=100)] = {}
    # graded name -> sentences on the pieces it depends on that are left out
    notes: Annotated[list[Sentence], Meta(max_length=MOST_NOTES + 5)] = []


class Asks(Struct, tag="asks"):
    """Pieces of code that this Python doesn't take: does the one that the notebook was made with?"""

    sources: Annotated[list[Annotated[str, Meta(max_length=LONGEST_PIECE)]], Meta(max_length=MOST_ASKED)]


class Tokens(Struct, tag="tokens"):
    """The normal form of a file's definitions, one Latin-1 character a token."""

    text: Annotated[str, Meta(max_length=1_000_000)]


class BookCell(Struct, array_like=True):
    """One cell as nbgrader needs it."""

    kind: Version
    grade_id: Word
    text: Annotated[str, Meta(max_length=MOST_FRAME)]


class Cells(Struct, tag="cells"):
    """All cells of a notebook, without outputs and without metadata."""

    cells: Annotated[list[BookCell], Meta(max_length=5_000)] = []


class Member(Struct, tag="member"):
    """One file of an archive: its name there, and where its bytes lie in the one file that the reader writes.

    `why`: the reason why it was not unpacked.
    """

    name: Sentence
    start: Count = 0
    size: Count = 0
    why: Sentence = ""


class Encoding(Struct, tag="encoding"):
    """The encoding in which the names of an archive were read that does not say which one it is."""

    name: Version


class Refused(Struct, tag="refused"):
    """Why the file as a whole can't be read; `problem` is one sentence."""

    problem: Sentence


class Broke(Struct, tag="broke"):
    """An error of the reader's own: a fault of this kit, not of the file."""

    error: Annotated[str, Meta(max_length=2_000)]


class Done(Struct, tag="done"):
    """The reader has said everything."""


Frame: TypeAlias = At | Look | Asks | Code | Tokens | Cells | Encoding | Member | Refused | Broke | Done


class Record(Struct, kw_only=True):
    """All that is known of one file. `problem` is the student's sentence; `fault` is the kit's own and withholds."""

    name: str
    sha256: str = ""  # of the file's bytes
    look: Look | None = None
    asked: list[str] = []
    code: Code | None = None
    tokens: str = ""
    cells: list[BookCell] = []
    members: list[Member] = []
    encoding: str = ""  # of an archive's names
    problem: str = ""
    fault: str = ""

    def add(self, frame: Frame) -> None:
        """Take in what one frame says."""
        match frame:
            case Look():
                self.look, self.problem = frame, self.problem or frame.problem
            case Asks():
                self.asked = frame.sources
            case Code():
                self.code = frame
            case Tokens():
                self.tokens = frame.text
            case Cells():
                self.cells = frame.cells
            case Member():
                self.members.append(frame)
            case Encoding():
                self.encoding = frame.name
            case Refused():
                self.problem = frame.problem
            case Broke():
                self.fault = f"The reader itself failed: {frame.error}"


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Frame).decode
