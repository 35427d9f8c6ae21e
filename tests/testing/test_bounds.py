"""A test's own work on what a student's code returned is bounded: it is counted before it is decoded."""

from __future__ import annotations

import json
import struct

import pytest
import torch

from autograder.records import Status
from autograder.runtime.errors import StudentError
from autograder.testing import artifacts, expect_checkpoint
from autograder.testing.expect import MismatchError
from autograder.testing.proxy import InProcess, Student
from autograder.testing.verdicts import MOST_LETTERS, verdict


def as_file(content: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def test_tensors_that_claim_one_memory_are_never_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tensor of a state_dict is looked at once, whatever the process that holds them says of their memory."""
    looked_at: list[int] = []
    digests = artifacts._digests
    monkeypatch.setattr(artifacts, "_digests", lambda value: looked_at.append(1) or digests(value))
    monkeypatch.setattr(torch, "equal", lambda *_: pytest.fail("two tensors were compared"))
    state = {f"t{i}": torch.tensor([i], dtype=torch.int32) for i in range(500)}
    assert artifacts.file_bytes(state, dict.fromkeys(state, 1)) > 500 * 4
    assert len(looked_at) == 500


def test_a_state_dict_of_too_many_tensors_fails_before_it_is_stored() -> None:
    """More than 10,000 tensors are refused with a sentence."""
    value = torch.zeros(1)
    with pytest.raises(MismatchError, match="more than 10,000 tensors"):
        artifacts.file_bytes({f"t{i}": value for i in range(10_001)})


def test_an_index_is_refused_by_its_size_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of more than 1 MB is never given to the JSON decoder."""
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("it was decoded"))
    content = b'{"weight_map":{},"x":[' + b'{"":[]},' * 200_000 + b"0]}"
    with pytest.raises(MismatchError, match="larger than 1 MB"):
        expect_checkpoint.index_is_true({expect_checkpoint.INDEX: as_file(content)})


def test_an_index_nested_too_deeply_holds_no_object() -> None:
    """JSON that is nested too deeply for the decoder fails with the sentence of one that is none."""
    content = b"[" * 200_000
    with pytest.raises(MismatchError, match="holds no JSON object"):
        expect_checkpoint.config_kept({expect_checkpoint.CONFIG: as_file(content)}, {})


def test_a_header_is_refused_by_its_size_before_it_is_decoded() -> None:
    """A safetensors file whose header takes more than 1 MB is refused."""
    content = struct.pack("<Q", 2 << 20) + b" " * (2 << 20)
    with pytest.raises(MismatchError, match="header"):
        expect_checkpoint.tensors({"model.safetensors": as_file(content)})


def test_a_message_of_a_students_own_words_is_cut() -> None:
    """A verdict's message has at most 600 letters, whatever the exception says."""
    found = verdict(AssertionError("x" * 100_000), None, hidden=False, in_test=True)
    assert found["message"] == "x" * (MOST_LETTERS - 1) + "…"
    found = verdict(StudentError("y" * 100_000), None, hidden=False, in_test=True)
    assert len(found["message"]) == MOST_LETTERS


def test_running_out_of_memory_over_an_answer_is_a_failed_test() -> None:
    """A MemoryError after the student's code was asked is that answer's fault; before, it is the grader's."""
    student = Student(InProcess({"f": lambda: 1}))
    student.f()
    assert verdict(MemoryError(), student, hidden=True, in_test=True)["status"] == Status.FAILED.value
    untouched = Student(InProcess({}))
    assert verdict(MemoryError(), untouched, hidden=True, in_test=True)["status"] == Status.GRADER_ERROR.value
