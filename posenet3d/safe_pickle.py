"""Arrays out of a pickle without running anything in it.

Official SMPL files are pickles of Python 2 with chumpy objects and scipy matrices; 3DPW and AIST++ come as pickles, and the
npz files around Human3.6M hold dictionaries as pickled object arrays. A pickle may name any function and have it called,
so here every name is looked up in one short list, and what the list gives are inert stand-ins written below: no function
of NumPy, SciPy, chumpy or Python is reachable. Plain arrays are rebuilt afterwards from the stand-ins' bytes.
"""

import io
import pickle
import zipfile
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import scipy.sparse as sp

from posenet3d.pickle_scan import UnsafePickle, check_lengths

NUMBERS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
OBJECTS = {"O", "O8"}
MAX_NESTING = 8
"""chumpy objects may wrap one another; official files do so once or twice."""

MAX_BYTES = 2**31
"""Of a pickle; official SMPL files have 250 MB, the 3D joints of Human3.6M 200 MB."""

MAX_SIDE = 10**7
"""Rows or columns of a sparse matrix, each of which takes room even if it is empty."""


def read_pickle(path: Path) -> dict[str, Any]:
    """The top-level dictionary of a pickle; arrays in it are stand-ins until `as_array` opens them.

    Raises:
        UnsafePickle: the file is no dictionary pickle, or names anything but arrays.
    """
    if not path.is_file():  # reading a pipe would wait for ever
        raise UnsafePickle("it is not a plain file")
    if path.stat().st_size > MAX_BYTES:
        raise UnsafePickle(f"it is larger than {MAX_BYTES >> 20} MiB")
    with path.open("rb") as file:
        content = _load(file)
    if not isinstance(content, dict):
        raise UnsafePickle("it does not hold a dictionary")
    return content


def read_object_npz(path: Path, field: str) -> Any:
    """What an npz holds in a field that is an array of objects, such as VideoPose3D's ``positions_3d``, as `plain` data.

    Raises:
        UnsafePickle: there is no such field, or it names anything but arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{field}.npy") as file:
            version = np.lib.format.read_magic(file)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            _, _, dtype = reader(file)
            if not dtype.hasobject:
                raise UnsafePickle(f"its field '{field}' is a plain array")
            content = _load(file)
    except UnsafePickle:
        raise
    except Exception as error:  # zipfile, zlib, lzma and NumPy raise a dozen kinds for a damaged file
        raise UnsafePickle(f"it has no readable field '{field}'") from error
    return plain(content)


def load_plain(file: io.BufferedIOBase | IO[bytes]) -> Any:
    """What a pickle in an open file holds, as `plain` data.

    Raises:
        UnsafePickle: it is damaged, or names anything but arrays.
    """
    return plain(_load(file))


def plain(value: Any, depth: int = 0, opened: dict[int, Any] | None = None) -> Any:
    """Dictionaries, lists, texts and numbers as they are, with the arrays in them opened; object arrays become lists.

    An object array without dimensions is the one thing that it holds. What is there twice is opened once: a few hundred bytes
    of lists that hold one another several times would otherwise unfold to more than any memory.

    Raises:
        UnsafePickle: an array is damaged, or the content is nested without end.
    """
    if depth > MAX_NESTING:
        raise UnsafePickle("its content is nested without end")
    opened = {} if opened is None else opened
    if id(value) not in opened:
        opened[id(value)] = _plain(value, depth, opened)
    return opened[id(value)]


def _plain(value: Any, depth: int, opened: dict[int, Any]) -> Any:
    match value:
        case dict():
            return {key: plain(part, depth + 1, opened) for key, part in value.items()}
        case _Array() if value.holds_objects():
            objects = plain(value.objects(), depth + 1, opened)
            return objects if value.state[1] else objects[0]
        case list() | tuple():
            return [plain(part, depth + 1, opened) for part in value]
        case _Array() | _Sparse() | _Chumpy():
            return as_array(value)
    return value


def _load(file: io.BufferedIOBase | IO[bytes]) -> Any:
    try:
        content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UnsafePickle(f"it is larger than {MAX_BYTES >> 20} MiB")
        check_lengths(content)
        return _Reader(io.BytesIO(content), encoding="latin1").load()
    except UnsafePickle:
        raise
    except OSError:
        raise
    except Exception as error:  # a hostile stream can make the unpickler raise nearly anything
        raise UnsafePickle("it is not a readable pickle") from error


def as_array(value: object, depth: int = 0) -> np.ndarray | sp.csr_matrix:
    """The numbers behind a stand-in, or behind a plain list of numbers.

    Raises:
        UnsafePickle: there are none.
    """
    if depth > MAX_NESTING:
        raise UnsafePickle("its objects wrap one another without end")
    try:
        return _opened(value, depth)
    except UnsafePickle:
        raise
    except Exception as error:  # shapes, types and lengths that contradict one another
        raise UnsafePickle("an array in it is damaged") from error


def _opened(value: object, depth: int) -> np.ndarray | sp.csr_matrix:
    match value:
        case _Array():
            return value.numbers()
        case _Sparse():
            parts = {name: as_array(value.state[name], depth + 1) for name in value.parts}
            shape = value.state.get("_shape", value.state.get("shape"))
            rows, columns = (int(size) for size in shape)
            if max(rows, columns) > MAX_SIDE:
                raise UnsafePickle(f"a matrix in it has more than {MAX_SIDE} rows or columns")
            return value.matrix(parts, (rows, columns))
        case _Chumpy() if "x" in value.state:
            return as_array(value.state["x"], depth + 1)
        case _Chumpy() if {"a", "idxs", "preferred_shape"} <= value.state.keys():  # chumpy.reordering.Select
            chosen = np.asarray(as_array(value.state["a"], depth + 1)).ravel()
            chosen = chosen[np.asarray(as_array(value.state["idxs"], depth + 1)).ravel()]
            return chosen.reshape([int(size) for size in value.state["preferred_shape"]])
        case list() | tuple() if all(isinstance(x, int | float) for x in value):
            return np.array(value)
    raise UnsafePickle("an entry is not an array")


class _Inert:
    """What a name in a pickle may stand for: takes any arguments and any state, does nothing with them."""

    state: Any

    def __new__(cls, *_: object) -> Any:
        made = object.__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}


class _Chumpy(_Inert):
    """Any object of chumpy; Ch keeps its numbers as ``x``."""


class _Type(_Inert):
    """numpy.dtype: a code such as 'f8', then a state whose second part is the byte order."""

    code: str
    order: str

    def __new__(cls, code: object = "", *_: object) -> Any:
        made = super().__new__(cls)
        made.code, made.order = str(code).lstrip("<>|=")[:2], "<"
        return made

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1:
            self.order = ">" if state[1] == ">" else "<"

    def dtype(self) -> np.dtype:
        if self.code not in NUMBERS:
            raise UnsafePickle("an array in it does not hold numbers")
        return np.dtype(self.order + self.code)


class _Array(_Inert):
    """numpy.ndarray, filled by its state: version, shape, type, Fortran order, bytes."""

    def __setstate__(self, state: object) -> None:
        self.state = state

    def holds_objects(self) -> bool:
        """Whether its entries are Python objects, not numbers."""
        return isinstance(self.state, tuple) and len(self.state) == 5 and getattr(self.state[2], "code", "") in OBJECTS

    def objects(self) -> list[Any]:
        """Its entries, in order."""
        content = self.state[4]
        if not isinstance(content, list) or not content:
            raise UnsafePickle("an array in it is damaged")
        return content

    def numbers(self) -> np.ndarray:
        _, shape, kind, fortran, content = self.state
        content = content.encode("latin1") if isinstance(content, str) else content
        if not isinstance(kind, _Type) or not isinstance(content, bytes):
            raise UnsafePickle("an array in it does not hold numbers")
        order: Literal["C", "F"] = "F" if fortran else "C"
        return np.frombuffer(content, kind.dtype()).reshape([int(size) for size in shape], order=order)


class _NewArray(_Inert):
    """numpy's _reconstruct: an empty array, whose state follows."""

    def __new__(cls, *_: object) -> Any:
        return _Array()


class _FromBuffer(_Inert):
    """numpy's _frombuffer, as protocol 5 writes arrays: bytes, type, shape, order."""

    def __new__(
        cls, content: object = b"", kind: object = None, shape: object = (), order: object = "C", *_: object
    ) -> Any:
        made = _Array()
        made.state = (1, shape, kind, order == "F", bytes(content) if isinstance(content, bytearray) else content)
        return made


class _Sparse(_Inert):
    """A scipy.sparse matrix; its state is a dictionary."""

    parts: tuple[str, ...] = ("data", "indices", "indptr")

    @staticmethod
    def matrix(parts: dict[Any, Any], shape: tuple[int, int]) -> sp.csr_matrix:
        raise NotImplementedError


class _Csc(_Sparse):
    @staticmethod
    def matrix(parts: dict[Any, Any], shape: tuple[int, int]) -> sp.csr_matrix:
        made = sp.csc_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
        made.check_format(full_check=True)  # SciPy's compiled loops trust the indices
        return made.tocsr()


class _Csr(_Sparse):
    @staticmethod
    def matrix(parts: dict[Any, Any], shape: tuple[int, int]) -> sp.csr_matrix:
        made = sp.csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
        made.check_format(full_check=True)
        return made


class _Coo(_Sparse):
    parts = ("data", "row", "col")

    @staticmethod
    def matrix(parts: dict[Any, Any], shape: tuple[int, int]) -> sp.csr_matrix:
        return sp.coo_matrix((parts["data"], (parts["row"], parts["col"])), shape=shape).tocsr()


class _OldStyle(_Inert):
    """copy_reg._reconstructor(class, base, state), as Python 2 makes objects."""

    def __new__(cls, kind: object = None, *_: object) -> Any:
        if not (isinstance(kind, type) and issubclass(kind, _Chumpy | _Sparse)):
            raise UnsafePickle("it builds an object that is no array")
        return kind()


class _Bytes(_Inert):
    """_codecs.encode(text, 'latin1'), as Python 3 writes bytes for Python 2."""

    def __new__(cls, text: object = "", *_: object) -> Any:
        return text.encode("latin1") if isinstance(text, str) else b""


_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")

STAND_INS: dict[tuple[str, str], type[_Inert]] = {
    **{(module, "_reconstruct"): _NewArray for module in _MULTIARRAY},
    **{(module, "scalar"): _Inert for module in _MULTIARRAY},
    **{(module, "_frombuffer"): _FromBuffer for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    **{(f"scipy.sparse{part}", "csc_matrix"): _Csc for part in ("", ".csc", "._csc")},
    **{(f"scipy.sparse{part}", "csr_matrix"): _Csr for part in ("", ".csr", "._csr")},
    **{(f"scipy.sparse{part}", "coo_matrix"): _Coo for part in ("", ".coo", "._coo")},
    **{(module, "_reconstructor"): _OldStyle for module in ("copyreg", "copy_reg")},
    **{(module, "object"): _Inert for module in ("builtins", "__builtin__")},
    ("collections", "OrderedDict"): _Inert,
    ("_codecs", "encode"): _Bytes,
    **{
        (module, "bytes"): _Bytes for module in ("builtins", "__builtin__")
    },  # empty bytes, as Python 3 writes protocol 2
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _Chumpy,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise UnsafePickle(f"it asks for {module}.{name}, which is no array") from None

    def persistent_load(self, pid: object) -> Any:
        raise UnsafePickle("it refers to objects outside itself")
