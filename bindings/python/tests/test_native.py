"""The native module stands below the package."""

from __future__ import annotations

import subprocess
import sys

from libswarm import _native

PROGRAM = """
import importlib.util, sys

spec = importlib.util.spec_from_file_location("_native", sys.argv[1])
native = importlib.util.module_from_spec(spec)
spec.loader.exec_module(native)
try:
    native.Master("alone", [("lease", "never")])
except RuntimeError as error:
    assert "import libswarm" in str(error), error
else:
    raise AssertionError("a master was made without the package")
assert native.decode_json(b'{"a": [1]}') == {"a": [1]}
assert not [name for name in sys.modules if name.startswith("libswarm")]
"""


def test_it_imports_nothing_of_the_package() -> None:
    path = _native.__file__
    done = subprocess.run([sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
