"""All networks on a GPU, in ``make test-gpu``: where there is none it says so, runs nothing, and fails.

To pass would look as if all had been tried.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the tests on a GPU; return the exit code, 1 without one."""
    # The other tests are for the processor alone.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import pytest

    from tests.gpu.precision import gpu

    if (found := gpu()) is None:
        import keras

        backend = keras.backend.backend()
        sys.stderr.write(f"test-gpu: Keras on {backend} sees no GPU here: nothing was run\n")
        return 1
    sys.stdout.write(f"{found}\n")
    return int(pytest.main(["-s", "tests/gpu/test_gpu.py", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
