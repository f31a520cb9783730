"""Worker processes, started with `spawn`: a forked one can inherit a lock held by a thread of PyTorch's or NumPy's
that does not exist in the child, and wait for it forever."""
import multiprocessing

anew = multiprocessing.get_context("spawn")
