"""What one export writes: each file or folder with its writer and its self-check."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from whit.exporter.checkpoint import Checkpoint
from whit.exporter.golden_chunks import golden_chunks
from whit.exporter.ir import Model
from whit.exporter.verify import CheckResult
from whit.exporter.verify_litert import measure_litert_agreement, verify_litert_float
from whit.exporter.verify_tflite import verify_tflite
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.exporter.writers.tflite_stock import TfliteStockWriter
from whit.exporter.writers.tflite_whit import TfliteWhitWriter
from whit.exporter.writers.writer import Writer

Format = Literal["tflite", "onnx"]
Verify = Callable[[Path, Model, Checkpoint], CheckResult]
ONNX_FOLDER = "onnx"
ONNX_PACKAGES = ("onnx", "onnxruntime")
STOCK_TFLITE: dict[int, Verify] = {
    32: verify_litert_float,
    8: measure_litert_agreement,
    4: measure_litert_agreement,
}
"""Bits of the weights of each stock model.tflite, and how it is checked."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing to write and to check.

    Attributes:
        path: of the file or folder, relative to the output folder.
        writer: puts it there.
        model: the lowered graphs.
        verify: compares what was written with the checkpoint.
    """

    path: str
    writer: Writer
    model: Model
    verify: Verify


def packed_jobs(model: Model, checkpoint: Checkpoint, format: Format) -> list[Job]:
    """Returns the job of dialect `whit`; the ONNX one needs the packages onnx and onnxruntime."""
    if format == "tflite":
        writer = TfliteWhitWriter(golden_chunks(checkpoint))
        return [Job(path=TFLITE_FILE, writer=writer, model=model, verify=verify_tflite)]
    from whit.exporter.verify_onnx import verify_packed
    from whit.exporter.writers.onnx_whit import OnnxWhitWriter

    return [Job(path=ONNX_FOLDER, writer=OnnxWhitWriter(), model=model, verify=verify_packed)]


def stock_jobs(model: Model, format: Format) -> list[Job]:
    """Returns the jobs of dialect `stock`; the tflite ones need the package ai-edge-litert."""
    if format == "tflite":
        writers = [(TfliteStockWriter(bits), verify) for bits, verify in STOCK_TFLITE.items()]
        return [
            Job(path=f"{writer.dialect}/{TFLITE_FILE}", writer=writer, model=model, verify=verify)
            for writer, verify in writers
        ]
    from whit.exporter.verify_onnx import measure_agreement, verify_float
    from whit.exporter.writers.onnx_stock import OnnxStockFloatWriter, OnnxStockInt8Writer

    return [
        Job(path="stock-float", writer=OnnxStockFloatWriter(), model=model, verify=verify_float),
        Job(path="stock-int8", writer=OnnxStockInt8Writer(), model=model, verify=measure_agreement),
    ]


def missing_onnx_packages() -> list[str]:
    """Returns which packages of the ONNX format are not installed."""
    return [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
