"""What the export of a model over whole utterances writes, each with its self-check."""

from collections.abc import Sequence
from pathlib import Path

from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.golden import save_vectors
from whit.exporter.integer_oracle import IntegerOracle
from whit.exporter.ir import Model
from whit.exporter.jobs import ONNX_FOLDER, Format
from whit.exporter.plan import Job, job_of
from whit.exporter.verify_integer import verify_integer_onnx, verify_integer_tflite
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.exporter.writers.tflite_whit import TfliteWhitWriter


def integer_jobs(model: Model, checkpoint: CtcCheckpoint, formats: Sequence[Format]) -> list[Job]:
    """Returns the jobs of dialect `whit`; the ONNX one needs the packages onnx and onnxruntime."""
    oracle = IntegerOracle(checkpoint, max_frames=int(model.graph("encode").inputs[0].shape[0]))
    jobs = []
    for each in formats:
        if each == "tflite":
            writer = TfliteWhitWriter(oracle.golden_vectors())
            jobs.append(job_of(TFLITE_FILE, writer, model, oracle, verify_integer_tflite))
            continue
        from whit.exporter.writers.onnx_integer import OnnxIntegerWriter

        onnx = OnnxIntegerWriter(has_blank=checkpoint.config.model.has_blank)
        jobs.append(job_of(ONNX_FOLDER, onnx, model, oracle, verify_integer_onnx, golden=_write_golden))
    return jobs


def _write_golden(folder: Path, oracle: IntegerOracle) -> None:
    save_vectors(folder, oracle.golden_vectors())
