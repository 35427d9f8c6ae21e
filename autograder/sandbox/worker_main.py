"""The student's end of the wire: jailed, it loads the submission and answers requests until the pipe closes."""

from __future__ import annotations

import os
import re
from typing import Any

import torch

from autograder.runtime import wire
from autograder.runtime.dispatcher import Dispatcher, no_facts
from autograder.runtime.simulated import device as simulated
from autograder.submission import loading

NO_FACTS = no_facts()


def serve(incoming: int, outgoing: int, hello: dict[str, Any]) -> None:
    """Say hello (which isolation was reached), then answer requests one at a time."""
    send(outgoing, hello)
    session = Dispatcher({})
    while (request := _receive(incoming)) is not None:
        if request["op"] == "load":
            how = {key: request[key] for key in ("helpers", "late_annotations")}
            loaded = loading.load_module(request["source"], "student", **how)
            session = Dispatcher(vars(loaded.module))
            reply: dict[str, Any] = {"problems": [_legible(problem) for problem in loaded.problems[:20]]}
        elif request["op"] == "words":
            reply = {"value": _words.get(request["args"][0]), "failure": None, "facts": None}
        else:
            reply = session.run(request)
            if reply["failure"]:
                reply["failure"] = _wordless(request["id"], reply["failure"])
            if reply["facts"] == NO_FACTS:
                reply["facts"] = None
        send(outgoing, {"id": request["id"], **reply})


_words: dict[int, tuple[str, str, str]] = {}
_MOST_WORDS = 64


def _wordless(request: int, failure: dict[str, Any]) -> dict[str, Any]:
    """What a test needs to know of an exception. Its words, which are every student's own, travel when they are
    asked for.
    """
    while len(_words) >= _MOST_WORDS:
        del _words[next(iter(_words))]
    _words[request] = failure["type"], failure["text"], failure["where"]
    text = "" if failure["kind"] == "raised" else failure["text"]
    return {
        "kind": failure["kind"],
        "builtin": failure["builtin"],
        "named": bool(failure["text"].strip()),
        "text": text,
    }


def _legible(text: str) -> str:
    return text[:500].encode("utf-8", "replace").decode()


def _receive(descriptor: int) -> Any:
    prefix = _read(descriptor, wire.PREFIX.size)
    if not prefix:
        return None
    header, body = wire.PREFIX.unpack(prefix)
    data = _read(descriptor, header + body)
    return wire.decode(bytes(data[:header]), memoryview(data)[header:], wrap)


def _read(descriptor: int, size: int) -> bytearray:
    # os.read, not socket.recv: seccomp refuses every call of the socket family
    data = bytearray()
    while len(data) < size:
        chunk = os.read(descriptor, min(size - len(data), 1 << 20))
        if not chunk:
            return bytearray()
        data += chunk
    return data


def send(descriptor: int, message: dict[str, Any]) -> None:
    """Write one message as a frame."""
    try:
        chunks = wire.frame(message, unwrap)
    except Exception as error:  # a lone surrogate, a nesting too deep, a tensor that can't be copied: say so
        failure = {"kind": "raised", "builtin": "TypeError", "type": "TypeError", "where": ""}
        failure["text"] = f"the returned value can't be read: {type(error).__name__}"
        chunks = wire.frame(message | {"value": None, "failure": _wordless(message["id"], failure)}, unwrap)
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view[: 1 << 20]) :]


def wrap(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """Put a tensor that came over the wire on the device that its frame names."""
    if device == "cpu":
        return tensor
    if device == "sim":
        return simulated.to_device(tensor)
    if re.fullmatch(r"cuda:\d{1,3}", device):
        return tensor.to(device)
    raise wire.WireError("the frame names a device that is not known")


def unwrap(tensor: torch.Tensor) -> tuple[torch.Tensor, str]:
    """The CPU values of a tensor and the name of its device."""
    if tensor.device.type == "cpu":
        return tensor, "cpu"
    if simulated.is_simulated(tensor):
        return simulated.to_host(tensor), "sim"
    return tensor.cpu(), str(tensor.device)
