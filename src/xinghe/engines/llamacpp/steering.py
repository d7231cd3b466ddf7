"""The number of compute threads of a running llama.cpp server, set between two of its batches.

llama.cpp has a call for that (`llama_set_n_threads`), but the library does not hand out the
context that it wants. So the context is looked for from the server object on: read as memory of
this process, where a wrong guess is an error and not a crash, and taken only if it knows the
number of threads that it was made with. Where anything is not as expected, there is no steering.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from itertools import pairwise
from typing import IO, Any

CONTEXT_OF = "_ZNK14server_context17get_llama_contextEv"
"""`server_context::get_llama_context() const`, as the library exports it."""
SERVER_SIZE = 16 * 1024
"""Bytes of the server object that are looked through; its address string stands at 4,880."""
POINTER = struct.Struct("P")
CONTEXT_READ = 512
"""Bytes of a context that must be there, before the library is asked what stands in it."""
HEAD = object.__basicsize__
"""Bytes of a Python object before its own: there the pointer to the server stands."""


class Steering:
    """Sets the threads of one server, up to the number that it was made with: its pool's size."""

    def __init__(self, library: ctypes.CDLL, context: int, most: int) -> None:
        self._library, self._context, self._most = library, context, most

    @classmethod
    def of(cls, server: Any, file: str, threads: int) -> Steering | None:
        """Of a server of the library `file`, made with `threads`; `None` where it cannot be had."""
        if sys.platform != "linux":
            return None
        library = ctypes.CDLL(file)
        try:
            context_of = library[CONTEXT_OF]
            library.llama_set_n_threads.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
            known = (library.llama_n_threads, library.llama_n_threads_batch)
            with open("/proc/self/mem", "rb", buffering=0) as memory:
                owner = _owner(memory, id(server), server.listening_address.encode())
                context_of.restype, context_of.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
                context = context_of(owner)
                _read(memory, context, CONTEXT_READ)
        except (AttributeError, OSError, LookupError, struct.error):
            return None
        for number in known:
            number.argtypes = (ctypes.c_void_p,)
            if number(context) != threads:
                return None
        return cls(library, context, threads)

    def set(self, threads: int) -> None:
        """From the next batch on. The library keeps both numbers in one word: no torn write."""
        threads = min(threads, self._most)
        self._library.llama_set_n_threads(self._context, threads, threads)


def _owner(memory: IO[bytes], server: int, address: bytes) -> int:
    """The `server_context`, which stands behind the string of the address. Raises `LookupError`."""
    (start,) = POINTER.unpack(_read(memory, server + HEAD, POINTER.size))
    words = [word for (word,) in POINTER.iter_unpack(_read(memory, start, SERVER_SIZE))]
    owner: int
    for word, owner in pairwise(words):
        try:
            if _read(memory, word, len(address) + 1) == address + b"\0":
                (inner,) = POINTER.unpack(_read(memory, owner, POINTER.size))
                _read(memory, inner, SERVER_SIZE // 2)
                return owner
        except OSError:
            continue
    raise LookupError("no server_context")


def _read(memory: IO[bytes], address: int | None, size: int) -> bytes:
    """Raises `OSError` where that is no address, or no memory of this process."""
    try:
        memory.seek(address or 0)
        data = memory.read(size)
    except (OverflowError, ValueError):
        raise OSError("no address") from None
    if len(data) < size:
        raise OSError("memory ends there")
    return data
