"""Processes that share the work, started anew (`spawn`): a forked one can inherit, beside threads such as PyTorch's or
NumPy's, a lock that nobody opens any more, and hang for good."""
import multiprocessing

anew = multiprocessing.get_context("spawn")
