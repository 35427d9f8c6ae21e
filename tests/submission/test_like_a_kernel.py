"""What a kernel accepts, the grader accepts: notebooks run by IPython's shell and by slice and loader answer alike."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from functools import cache

import pytest

# notebooks that bind K to 42 in a way that Python alone does not know, or that a slice could miss
DEFINED: dict[str, list[str]] = {
    "plainly": ["K = 42"],
    "under __main__": ["if __name__ == '__main__':\n    K = 42"],
    "under __main__, said backwards, with an else": ["if '__main__' == __name__:\n    K = 42\nelse:\n    K = 0"],
    "under __main__ in one line": ["if __name__ == '__main__': J = 40; K = J + 2"],
    "under __main__, beside a string that looks like code": [
        "if __name__ == '__main__':\n    TEXT = '''\n    if x:\n'''\n\n    @staticmethod\n    def _k(\n  text=TEXT):\n"
        "        # said\n        return 42 if text == '\\n    if x:\\n' else 0\n    try:\n        K = _k()\n    finally:\n"
        "        del TEXT"
    ],
    "under a condition on __main__": ["if __name__ == '__main__' and True:\n    K = 42"],
    "by a comparison with __main__": ["K = 42 if __name__ == '__main__' else 0"],
    "where it is not __main__": ["if __name__ != '__main__':\n    K = 0\nelse:\n    K = 42"],
    "at the prompt of Python": [">>> def k():\n...     return 42\n...\n>>> K = k()\n>>> K\n42"],
    "at the prompt of Python, indented": ["    >>> K = 40\n    >>> K += 2"],
    "at the prompt of Python, without a space": [">>>K = 40\n>>>K += 2"],
    "at the prompt of IDLE": [">>> def k():\n        return 42\n\n>>> K = k()"],
    "at the prompt of IPython": [
        "In [1]: def k():\n   ...:     return 42\n   ...: \n\nIn [2]: K = k()\n\nIn [3]: K\nOut[3]: 42"
    ],
    "at the prompt, below a magic": ["In [1]: %time K = 42"],
    "in a cell that is timed": ["%%time\nK = 42"],
    "in a cell that is captured, below blank lines": ["\n\n%%capture out\n%%time\nK = 42"],
    "in a line that is timed": ["%time K = 42"],
    "in a timed line that goes on": ["%time K = 40 + \\\n    2"],
    "by %env": ["%env KIND_OF_ANSWER=42", "import os\nK = int(os.environ['KIND_OF_ANSWER'])"],
    "by %env with a variable": ["v = 42\n%env KIND_OF_ANSWER=$v\nimport os\nK = int(os.environ['KIND_OF_ANSWER'])"],
    "beside a shell command's lines": ["found = !true\nK = 42 + len(found)"],
    "beside a command with an open bracket": ["!echo '(' > /dev/null\nK = 42"],
    "beside the working folder": ["where = %pwd\nK = 42 if where else 0"],
    "beside a measured time": ["took = %timeit -q -o -n1 -r1 pass\nK = 42 if took.average >= 0 else 0"],
    "beside questions": ["?len\nlen?\nstr.upper??\n%time?\nK = 42"],
    "beside words for the shell": ["%config InlineBackend.figure_format = 'retina'\n%precision 3\n!true\nK = 42"],
    "by autocall": ["K = 0\ndef k(n=42):\n    global K\n    K = n\n/k"],
    "by autocall with words": ["K = 0\ndef k(a, b):\n    global K\n    K = int(a + b)\n,k 4 2"],
    "with await": ["import asyncio\nK = await asyncio.sleep(0, 42)"],
    "with await, twice on one loop": ["import asyncio\nq = asyncio.Queue()\nawait q.put(42)", "K = await q.get()"],
    "with async for": ["async def g():\n    yield 42", "async for K in g():\n    pass"],
    "with async with": [
        "class C:\n    async def __aenter__(self): return 42\n    async def __aexit__(self, *_): pass",
        "async with C() as K:\n    pass",
    ],
    "in an async comprehension": ["async def g():\n    yield 42\nK = [k async for k in g()][0]"],
    "where there is a shell": ["try:\n    get_ipython()\n    K = 42\nexcept NameError:\n    K = 0"],
    "where the shell is a notebook's": ["K = 42 if 'IPKernelApp' in get_ipython().config or True else 0"],
    "where it is not Colab": ["if 'google.colab' in str(get_ipython()):\n    K = 0\nelse:\n    K = 42"],
    "beside words to the shell": [
        "get_ipython().run_line_magic('precision', '3')\nget_ipython().system('true')\nK = 42"
    ],
    "beside something displayed": ["display('K')\ndef k():\n    display(1, 2)\n    return 42\nK = k()"],
    "by the length of odd line ends in a string": ["K = 33 + len('a\u2028b\u2029c\x85d\x0be')\n# \u2028 K = 0"],
    "by the length of separators in a string": ["K = 35 + len('a\x1cb\x1dc\x1ed')"],
    "below a form feed": ["\x0c\nK = 42"],
    "in a helper file": ["%%writefile helper_a.py\nK = 42", "from helper_a import K"],
    "in a helper file of two cells": [
        "%%file helper_b.py\nK = 40",
        "%%writefile -a helper_b.py\nK += 2",
        "from helper_b import *",
    ],
    "in a helper of a helper": [
        "%%writefile helper_c.py\nK = 42",
        "%%writefile helper_d.py\nimport helper_c\ndef k(): return helper_c.K",
        "import helper_d as d\nK = d.k()",
    ],
    "in a package of helpers": [
        "import os\nos.makedirs('kit_e', exist_ok=True)",
        "%%writefile kit_e/__init__.py\nfrom .inner import K",
        "%%writefile kit_e/inner.py\nfrom kit_e import outer\nK = outer.J + 2",
        "%%writefile kit_e/outer.py\nJ = 40",
        "from kit_e import K",
    ],
    "in a folder on the path": [
        "import os, sys\nos.makedirs('src_f', exist_ok=True)\nsys.path.append('src_f')",
        "%%writefile src_f/helper_f.py\nK = 42",
        "import helper_f\nK = helper_f.K",
    ],
    "in a file that is run": [
        "%%writefile helper_g.py\nif __name__ == '__main__':\n    K = 42",
        "J = 1\n%run helper_g.py\nJ += K",
    ],
    "in a file that is run, of two cells": ["%%writefile h.py\nK = 40", "%%writefile -a h.py\nK += 2", "%run -i ./h"],
    "in a helper that was written again": [
        "%%writefile helper_i.py\nK = 42",
        "import helper_i\nK = helper_i.K",
        "%%writefile helper_i.py\nK = 0",
    ],
    "in a helper that asks for __main__": [
        "%%writefile helper_j.py\nK = 0 if __name__ == '__main__' else 42",
        "from helper_j import K",
    ],
    "in a helper that was written again and reloaded": [
        "%load_ext autoreload\n%autoreload 2",
        "%%writefile helper_k.py\nK = 0",
        "import helper_k, importlib",
        "%%writefile helper_k.py\nK = 40 + 2",
        "importlib.reload(helper_k)\nK = helper_k.K",
    ],
    "in a helper under a name": [
        "%%writefile helper_l.py\nK = 42",
        "import importlib\nK = importlib.import_module('helper_l').K",
    ],
    "in a folder that the shell makes": [
        "!mkdir -p out_q\nopen('out_q/k', 'w').write('42')",
        "K = int(open('out_q/k').read())",
    ],
    "in a zip file": [
        "import zipfile\nwith zipfile.ZipFile('r.zip', 'w') as z:\n    z.writestr('k', '42')",
        "K = int(zipfile.ZipFile('r.zip').read('k'))",
    ],
    "in a copy of a file": [
        "import shutil\nopen('s.txt', 'w').write('42')",
        "shutil.copy('s.txt', 't.txt')",
        "K = int(open('t.txt').read())",
    ],
    "in a text file": ["%%writefile k.txt\n42", "with open('k.txt') as file:\n    K = int(file.read())"],
    "in a file written by a statement": [
        "with open('l.txt', 'w') as file:\n    file.write('42')",
        "K = int(open('l.txt').read())",
    ],
    "in a file written by a path": [
        "from pathlib import Path\nPath('out_m').mkdir(exist_ok=True)\n(Path('out_m') / 'k').write_text('42')",
        "K = int(open('out_m/k').read())",
    ],
    "in a file opened and closed": [
        "f = open('n.json', mode='w')\nimport json\njson.dump(42, f)\nf.close()",
        "K = json.load(open('n.json'))",
    ],
    "in a file under a name": ["NAME = 'o.npy'\nimport numpy as np\nnp.save(NAME, [42])", "K = int(np.load(NAME)[0])"],
    "in a file written by a function": [
        "def put(k):\n    with open('p.txt', 'w') as f:\n        f.write(str(k))\nput(42)",
        "K = int(open('p.txt').read())",
    ],
    "in text that is run as code": ["%%writefile q.py\nK = 42", "exec(open('q.py').read())"],
    "with gradients off": [
        "import torch\ntorch.set_grad_enabled(False)",
        "K = 0 if (torch.ones(1, requires_grad=True) * 2).requires_grad else 42",
    ],
    "with gradients off, entered": [
        "import torch\n_ = torch.no_grad().__enter__()\nK = 0 if torch.is_grad_enabled() else 42"
    ],
    "with another default dtype": [
        "from torch import set_default_dtype, float64, tensor\nset_default_dtype(float64)\nK = tensor(1.0).element_size() + 34"
    ],
    "with torch under another name": [
        "import torch\nimport torch.nn.functional as F\ntorch.set_default_dtype(torch.float64)\nK = 42 if F.one_hot is not None else 0"
    ],
    "with a seed": ["import random\nrandom.seed(0)\nK = int(random.random() * 100) - 42"],
    "with a seed set in the same cell as much else": [
        "import numpy as np\nnp.random.seed(0), print()\nnp.random.seed(1)\nK = int(np.random.rand() * 100) + 1"
    ],
    "with all seeds": [
        "import os, random\nimport numpy as np\ndef seed_everything(seed=0):\n    random.seed(seed)\n    np.random.seed(seed)\n"
        "    os.environ['PYTHONHASHSEED'] = str(seed)\nseed_everything(1)",
        "K = int(np.random.rand() * 100) + 1",
    ],
    "with warnings of numpy off": [
        "import numpy as np\nnp.seterr(divide='ignore')\nK = 42 if np.geterr()['divide'] == 'ignore' else 0"
    ],
    "deep down": [
        "import sys\nsys.setrecursionlimit(9000)",
        "def down(n): return 42 if n == 0 else down(n - 1)\nK = down(2500)",
    ],
    "with a backend's flag": [
        "import torch\ntorch.backends.mkldnn.enabled = False\nK = 0 if torch.backends.mkldnn.enabled else 42"
    ],
    "with precision": ["import decimal\ndecimal.getcontext().prec = 3\nK = len(str(decimal.Decimal(1) / 3)) + 37"],
    "by a method added by its annotation": [
        "def patch(f):\n    cls = next(iter(f.__annotations__.values()))\n    setattr(cls, f.__name__, f)\n    return f\nclass A: pass",
        "@patch\ndef k(self: A): return 42",
        "K = A().k()",
    ],
    "by a method added by an annotation in words": [
        "import typing\ndef patch(f):\n    setattr(typing.get_type_hints(f)['self'], f.__name__, f)\n    return f\nclass A: pass",
        "@patch\ndef k(self: 'A'): return 42",
        "K = A().k()",
    ],
    "by a method added by a factory": [
        "def patch(as_name=None):\n    def add(f):\n        setattr(f.__annotations__['self'], as_name or f.__name__, f)\n        return f\n"
        "    return add\nclass A: pass",
        "@patch(as_name='k')\ndef _k(self: A): return 42",
        "K = A().k()",
    ],
    "by methods added in a loop": [
        "class A: pass\ndef k(self): return 42",
        "for f in (k,):\n    setattr(A, f.__name__, f)\nK = A().k()",
    ],
    "by methods added by map": [
        "class A: pass\ndef k(self): return 42",
        "list(map(lambda f: setattr(A, f.__name__, f), [k]))\nK = A().k()",
    ],
    "by a function that patches a class": [
        "class A: pass\ndef install(cls, k=42):\n    cls.k = lambda self: k",
        "install(A)",
        "K = A().k()",
    ],
    "by a function that patches one class": [
        "class A: pass\ndef install():\n    A.k = lambda self: 42",
        "install()",
        "K = A().k()",
    ],
    "by type's own setattr": ["class A: pass", "type.__setattr__(A, 'k', 42)", "K = A.k"],
    "in a registry's method": [
        "class Registry:\n    def __init__(self): self.all = {}\n    def add(self, name):\n        def enter(f):\n"
        "            self.all[name] = f\n            return f\n        return enter\nR = Registry()",
        "@R.add('k')\ndef _(): return 42",
        "K = R.all['k']()",
    ],
    "in a registry of classes": [
        "ALL = {}\ndef enter(cls):\n    ALL[cls.__name__] = cls\n    return cls",
        "@enter\nclass Sub:\n    k = 42",
        "K = ALL['Sub'].k",
    ],
}
USED = {
    "in a function": "def answer(): return K",
    "as a default": "def answer(k=K): return k",
    "in a class": "class A_:\n    k = K\ndef answer(): return A_.k",
}
NOTEBOOKS = {
    f"{how}, {use}": [*DEFINED[how], USED[use]]
    for (number, how), use in itertools.product(enumerate(DEFINED), USED)
    if use == list(USED)[number % 3]
}

IN_A_KERNEL = """
import contextlib, io, json, os, sys, tempfile
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
answers = {}
for name, cells in json.load(sys.stdin).items():
    os.chdir(tempfile.mkdtemp())
    sys.path.insert(0, os.getcwd())
    shell.user_ns.clear()
    shell.init_user_ns()
    shell.user_ns["__name__"] = "__main__"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for cell in cells:
            shell.run_cell(cell)
        try:
            answers[name] = repr(shell.user_ns["answer"]())
        except BaseException as error:
            answers[name] = repr(error)
    settings()
print(json.dumps(answers))
"""
IN_THE_GRADER = """
import contextlib, io, json, os, sys, tempfile
from autograder.submission.cells import parse_notebook
from autograder.submission.loading import load_module
from autograder.submission.slicing import slice_cells

answers = {}
for name, cells in json.load(sys.stdin).items():
    os.chdir(tempfile.mkdtemp())
    part = slice_cells(parse_notebook(cells)[0], ["answer"])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        loaded = load_module(part.source, "student", part.helpers)
        try:
            answers[name] = repr(loaded.module.answer())
        except BaseException as error:
            answers[name] = repr((error, loaded.problems))
    settings()
print(json.dumps(answers))
"""
SETTINGS = """
import sys
def settings():
    import decimal, numpy, os, torch
    torch.set_grad_enabled(True); torch.set_default_dtype(torch.float32); torch.backends.mkldnn.enabled = True
    numpy.seterr(all="warn"); sys.setrecursionlimit(1000); decimal.setcontext(decimal.Context())
    os.environ.pop("KIND_OF_ANSWER", None)
"""


@cache
def answers(program: str) -> dict[str, str]:
    """What each notebook's `answer()` returns."""
    command = [sys.executable, "-P", "-c", SETTINGS + program]
    done = subprocess.run(command, input=json.dumps(NOTEBOOKS), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_answers_as_in_a_kernel(name: str) -> None:
    """Bound in every way that a kernel knows, K is 42 for the grader, too."""
    pytest.importorskip("IPython")
    assert (answers(IN_A_KERNEL)[name], answers(IN_THE_GRADER)[name]) == ("42", "42")
