"""trine_lib.py - libtrine from Python, as little of it as is timed here: texts to vectors, text to ids."""
import ctypes
import os

import numpy as np

from paths import TRINE

LIB = ctypes.CDLL(os.path.join(os.path.dirname(TRINE), "libtrine.so"))


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 508)]


class ModelOptions(ctypes.Structure):
    _fields_ = [("cpu", ctypes.c_char_p), ("log", ctypes.c_void_p), ("log_user", ctypes.c_void_p)]


class Encoding(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int), ("ids", ctypes.POINTER(ctypes.c_int32)), ("rest", ctypes.c_void_p * 5)]


def check(status, error):
    if status:
        raise RuntimeError(error.text.decode())


class Model:
    def __init__(self, path, threads, cpu=None):
        self.error, self.model, self.session = Error(), ctypes.c_void_p(), ctypes.c_void_p()
        options = ModelOptions(cpu=cpu.encode() if cpu else None)
        session = (ctypes.c_int * 64)(threads)  # trine_session_options begins with n_threads; the rest is zero: defaults
        check(LIB.trine_model_open(ctypes.byref(self.model), path.encode(), ctypes.byref(options), ctypes.byref(self.error)), self.error)
        check(LIB.trine_session_open(ctypes.byref(self.session), self.model, session, ctypes.byref(self.error)), self.error)

    def embed(self, texts):
        out = np.empty((len(texts), 384), dtype=np.float32)
        array = (ctypes.c_char_p * len(texts))(*texts)
        check(LIB.trine_embed_batch(out.ctypes.data_as(ctypes.c_void_p), self.session, array, len(texts), None, ctypes.byref(self.error)),
              self.error)
        return out


class Tokenizer:
    def __init__(self, path):
        self.error, self.tok, self.out = Error(), ctypes.c_void_p(), Encoding()
        check(LIB.trine_tokenizer_open(ctypes.byref(self.tok), path.encode(), ctypes.byref(self.error)), self.error)
        self.encode_fn, self.clear_fn = LIB.trine_tokenizer_encode, LIB.trine_encoding_clear
        self.encode_fn.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        self.clear_fn.argtypes = [ctypes.c_void_p]
        self.out_at, self.error_at = ctypes.byref(self.out), ctypes.byref(self.error)

    def encode(self, text):
        check(self.encode_fn(self.out_at, self.tok, text, len(text), None, self.error_at), self.error)
        n = self.out.n
        self.clear_fn(self.out_at)
        return n
