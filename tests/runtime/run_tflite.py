"""Runs model.tflite with LiteRT or tflite-runtime and numpy alone, in an environment of its own.

    run_tflite.py MODEL DELEGATE INPUTS.npz OUTPUTS.npz

It feeds whole chunks one after another, hands the
states on, and then feeds the targets as golden vectors do.
"""

import sys

import numpy as np

try:
    from ai_edge_litert import interpreter as litert
except ImportError:
    from tflite_runtime import interpreter as litert


def open_signatures(model, delegate):
    """Returns the runners of a model whose custom operators the delegate runs."""
    interpreter = litert.Interpreter(
        model_path=str(model),
        experimental_delegates=[litert.load_delegate(str(delegate))],
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        num_threads=1,
    )
    return {name: interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()}


def initial_state(runner):
    """Returns h and c of a new stream."""
    details = runner.get_input_details()
    return [np.zeros(details[name]["shape"], np.float32) for name in ("h", "c")]


def main(model, delegate, inputs, outputs):
    """Writes encoder_outputs, decoder_outputs and logits."""
    run, golden = open_signatures(model, delegate), dict(np.load(inputs))
    h, c = initial_state(run["encode"])
    frames = []
    chunk_frames = int(run["encode"].get_input_details()["features"]["shape"][0])
    for begin in range(0, len(golden["features"]), chunk_frames):
        out = run["encode"](features=golden["features"][begin : begin + chunk_frames], h=h, c=c)
        h, c = out["h_next"], out["c_next"]
        frames.append(out["encoded"])
    frames = np.concatenate(frames)
    h, c = initial_state(run["predict"])
    predictions, logits = [], []
    for number, target in enumerate(golden["targets"]):
        out = run["predict"](token=np.array([target], np.int32), h=h, c=c)
        h, c = out["h_next"], out["c_next"]
        predictions.append(out["predicted"][0])
        frame = frames[None, number % len(frames)]
        logits.append(run["join"](encoded=frame, predicted=out["predicted"])["logits"][0])
    np.savez(
        outputs,
        encoder_outputs=frames,
        decoder_outputs=np.array(predictions),
        logits=np.array(logits),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
