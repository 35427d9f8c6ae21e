"""What the kit itself does at the student's end: `student.remote.model(…)` in a test runs `kit.model(…)` there.

Models and layers are made where the student's code is, from plain data; what the student's code made is called,
taken apart and written down there. Nothing in here answers a task, and nothing in here earns a point: what it says
of a student's object is a claim by the process that holds the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograder.runtime.kit.checkpoint import checkpoint, discard, large_checkpoint
from autograder.runtime.kit.fake_cuda import cuda_begins, cuda_ends, on_cuda
from autograder.runtime.kit.files import files, folder, put
from autograder.runtime.kit.layers import conv1d, embedding, layer_norm, linear, rms_norm, sequential
from autograder.runtime.kit.memory_use import held, release_memory, shared
from autograder.runtime.kit.modules import (
    condition,
    load_state_dict,
    logits,
    model,
    modules,
    output,
    state_dict,
    submodule,
    tied,
)
from autograder.runtime.kit.onnx_files import onnx_logits, onnx_summary
from autograder.runtime.kit.recorder import failing_recorder, recorded, recorder
from autograder.runtime.kit.stand_ins import hook, noted, probe, set_trainable, set_training

FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(checkpoint, discard, large_checkpoint),
        *(files, folder, put),
        *(conv1d, embedding, layer_norm, linear, rms_norm, sequential),
        *(condition, load_state_dict, logits, model, modules, output, state_dict, submodule, tied),
        *(held, release_memory, shared),
        *(cuda_begins, cuda_ends, on_cuda),
        *(hook, noted, probe, set_trainable, set_training),
        *(onnx_logits, onnx_summary),
        *(failing_recorder, recorded, recorder),
    )
}
