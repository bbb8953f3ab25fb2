"""Optional compilation of the network's blocks with ``torch.compile``."""

from __future__ import annotations

import torch

from interpose_ros.dust3r.network import Dust3rNetwork


def compile_blocks(network: Dust3rNetwork) -> Dust3rNetwork:
    """Compile encoder and decoder blocks. In place; returns the network.

    Blocks of a kind share their compiled code, so that the first call takes seconds instead of minutes. Every new batch
    size or image shape may compile once more. On CPUs ``pack_for_cpu`` is the alternative; the two do not add up. Needs
    a C++ compiler on the CPU, and Triton on a GPU.
    """
    for block in network.enc_blocks:
        block.compile()
    for block in (*network.dec_blocks, *network.dec_blocks2):
        for part in ("attend_self", "prepare_other", "attend_other"):
            setattr(block, part, torch.compile(getattr(block, part)))
    return network
