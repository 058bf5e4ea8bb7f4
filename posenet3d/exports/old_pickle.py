"""Pickles that NumPy 1 can read, for the research code that loads them."""

import pickle
from typing import Any


def pickle_for_numpy_1(content: Any) -> bytes:
    """Return a pickle of protocol 2 whose arrays open in NumPy 1, too.

    NumPy 2 renamed the module that pickled arrays name. It reads both names.
    """
    return pickle.dumps(content, protocol=2).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
