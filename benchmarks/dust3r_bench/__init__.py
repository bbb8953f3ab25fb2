"""Parts of ``bench_dust3r.py``: scenes and plans, the reference, and what is measured of network and alignment."""
