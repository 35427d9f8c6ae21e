"""A device that is not there: real values on a Python backend, with the rules of CUDA."""
