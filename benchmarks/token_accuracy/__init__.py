"""How near the token counts come to the truth, by method: the parts of ``benchmarks/accuracy.py``."""
