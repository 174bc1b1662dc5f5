"""The engines to run an exported file in, for parametrize; without its package LiteRT is a visible skip."""

import pytest

from whit.exporter.litert_graph import has_litert

LITERT = pytest.param("litert", marks=pytest.mark.skipif(not has_litert(), reason="needs ai-edge-litert"))
ENGINES = ["native", "onnxruntime", LITERT]
