"""What this processor can do with bfloat16."""

import torch


def has_fast_bfloat16() -> bool:
    """Tells whether this processor multiplies bfloat16 matrices without widening them one by one."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
