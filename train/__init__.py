import os

# Threads of a product wait for each other hundreds of times per update. On a machine that does something else beside, those
# that wait spinning take the processor from the one they wait for: on two busy cores an update took 24 times as long.
# Read when PyTorch loads its library, so here, before it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
