"""Archives written here as NeMo writes them, whole and hostile."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from whit.models import nemo_archive, nemo_import
from whit.models.conv_config import ConvConfig
from whit.models.ctc_checkpoint import load_ctc_checkpoint
from whit.models.ctc_model import CtcModel
from whit.models.errors import CheckpointError, ForeignModelError
from whit.models.nemo_config import understand
from whit.models.nemo_import import import_checkpoint, import_nemo
from whit.models.nemo_names import nemo_names
from whit.models.offline_features import OfflineFrontend

BLOCK = {"filters": 6, "repeat": 1, "kernel": [5], "stride": [1], "dilation": [1], "dropout": 0.0}
CONV = {
    "labels": [" ", "a", "b"],
    "sample_rate": 16000,
    "defaults": {"width": 7},
    "preprocessor": {
        "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "features": 5,
        "window_size": 0.02,
        "sample_rate": "${sample_rate}",
        "normalize": "per_feature",
    },
    "encoder": {
        "_target_": "nemo.collections.asr.modules.ConvASREncoder",
        "feat_in": "${preprocessor.features}",
        "activation": "relu",
        "conv_mask": True,
        "jasper": [
            {**BLOCK, "stride": [2], "separable": True, "residual": False},
            {
                **BLOCK,
                "filters": "${model.defaults.width}",
                "repeat": 2,
                "residual": True,
                "residual_dense": True,
            },
            {**BLOCK, "repeat": 2, "residual": True, "residual_dense": True, "separable": True},
            {**BLOCK, "kernel": [3], "dilation": [2], "residual": False},
        ],
    },
    "decoder": {"_target_": "nemo.collections.asr.modules.ConvASRDecoder", "num_classes": 3},
}
CONFORMER: dict[str, object] = {
    "preprocessor": {"_target_": "x.AudioToMelSpectrogramPreprocessor", "features": 8, "window_size": 0.025},
    "encoder": {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": 8,
        "feat_out": -1,
        "n_layers": 2,
        "d_model": 12,
        "n_heads": 3,
        "subsampling": "striding",
        "subsampling_factor": 4,
        "subsampling_conv_channels": -1,
        "self_attention_model": "rel_pos",
        "att_context_size": [-1, -1],
        "conv_kernel_size": 5,
        "conv_norm_type": "batch_norm",
        "xscaling": True,
        "untie_biases": True,
    },
    "decoder": {"_target_": "nemo.collections.asr.modules.ConvASRDecoder", "num_classes": -1},
}


def changed(config: dict[str, object], path: str, value: object) -> dict[str, object]:
    """Returns a copy of the configuration with another value at a.b.c."""
    copy: dict[str, object] = yaml.safe_load(yaml.safe_dump(config))
    *parents, last = path.split(".")
    place: object = copy
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]  # type: ignore[index]
    place[last] = value  # type: ignore[index]
    return copy


def nemo_tensors(model: CtcModel) -> dict[str, Tensor]:
    """Returns the model's tensors as NeMo has them: convolutions with their last axis, tables, counters."""
    own = model.state_dict()
    tensors = {theirs: own[name].clone() for name, theirs in nemo_names(model.config, own).items()}
    for name, tensor in tensors.items():
        if name in ("decoder.decoder_layers.0.weight",) and model.config.head == "ctc":
            tensors[name] = tensor.unsqueeze(2)
        elif "pointwise_conv" in name and name.endswith("weight"):
            tensors[name] = tensor.unsqueeze(2)
    counters = {n.replace("running_mean", "num_batches_tracked") for n in tensors if "running_mean" in n}
    tensors |= {name: torch.tensor(9) for name in counters}
    return tensors | {
        "preprocessor.featurizer.window": torch.ones(3),
        "preprocessor.featurizer.fb": torch.ones(2),
    }


def member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def torch_bytes(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def write_archive(path: Path, members: dict[str, bytes], *, compressed: bool = True) -> Path:
    with tarfile.open(path, "w:gz" if compressed else "w") as archive:
        for name, data in members.items():
            member(archive, name, data)
    return path


def random_model(config: dict[str, object], path: Path) -> CtcModel:
    """Returns a model of random weights in the shape that importing its configuration gives."""
    found = understand(yaml.safe_dump(config), {"1_vocab.txt": "a\n##b\nc\n"})
    model = CtcModel(found.model, len(found.tokens)).eval()
    for name, tensor in model.state_dict().items():
        if ".norm." in name or "pos_bias" in name:
            tensor.uniform_(0.5, 2.0)
    return model


@pytest.fixture
def members(tmp_path: Path) -> dict[str, bytes]:
    """Returns the members of a whole archive."""
    tensors = nemo_tensors(random_model(CONV, tmp_path))
    return {
        "./model_config.yaml": yaml.safe_dump(CONV).encode(),
        "./model_weights.ckpt": torch_bytes(tensors),
    }


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    "config",
    [CONV, changed(CONV, "encoder.conv_mask", False), CONFORMER],
    ids=["conv", "unmasked", "conformer"],
)
def test_an_archive_becomes_a_checkpoint_with_the_same_bits(
    tmp_path: Path, config: dict[str, object], compressed: bool
) -> None:
    model = random_model(config, tmp_path)
    source = write_archive(
        tmp_path / "m.nemo",
        {
            "./model_config.yaml": yaml.safe_dump(config).encode(),
            "./model_weights.ckpt": torch_bytes(nemo_tensors(model)),
            "./1_vocab.txt": b"a\n##b\nc\n",
            "./tokenizer.model": b"anything",
        },
        compressed=compressed,
    )
    import_checkpoint(source, tmp_path / "c")
    loaded, stored = load_ctc_checkpoint(tmp_path / "c")
    assert stored.name == "m"
    assert stored.tokens == (("▁", "a", "b") if "labels" in config else ("▁a", "b", "▁c"))
    assert stored.frontend == (
        OfflineFrontend(num_mels=5) if "labels" in config else OfflineFrontend(num_mels=8, window_ms=25)
    )
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    features, frames = torch.randn(2, 23, stored.model.num_mels), torch.tensor([23, 14])
    with torch.no_grad():
        assert torch.equal(loaded(features, frames)[0], model(features, frames)[0])


def test_a_folder_of_safetensors_is_the_same_model(tmp_path: Path, members: dict[str, bytes]) -> None:
    tensors = torch.load(io.BytesIO(members["./model_weights.ckpt"]), weights_only=True)
    (tmp_path / "f").mkdir()
    save_file(
        {name: t.contiguous() for name, t in tensors.items()}, tmp_path / "f" / "model_weights.safetensors"
    )
    (tmp_path / "f" / "model_config.yaml").write_bytes(members["./model_config.yaml"])
    from_folder, _ = import_nemo(tmp_path / "f")
    from_archive, _ = import_nemo(write_archive(tmp_path / "m.nemo", members))
    for name, tensor in from_archive.state_dict().items():
        assert torch.equal(from_folder.state_dict()[name], tensor)
    (tmp_path / "f" / "model_config.yaml").unlink()
    with pytest.raises(ForeignModelError, match=r"no model_config\.yaml"):
        import_nemo(tmp_path / "f")


@pytest.mark.parametrize(
    ("decoder", "head"),
    [
        ({"_target_": "x.ConvASRDecoderClassification", "num_classes": 2, "pooling_type": "avg"}, "pooled"),
        ({"_target_": "x.MultiLayerPerceptron", "num_classes": 2, "num_layers": 1}, "frames"),
    ],
)
def test_classifiers_of_the_same_blocks_import_and_run(
    tmp_path: Path, decoder: dict[str, object], head: str
) -> None:
    config = changed(changed(CONV, "decoder", decoder), "labels", ["background", "speech"])
    data = torch_bytes(nemo_tensors(random_model(config, tmp_path)))
    source = {"model_config.yaml": yaml.safe_dump(config).encode(), "model_weights.ckpt": data}
    import_checkpoint(write_archive(tmp_path / "m.nemo", source), tmp_path / "c")
    model, stored = load_ctc_checkpoint(tmp_path / "c")
    assert isinstance(stored.model, ConvConfig)
    assert (stored.model.architecture, stored.model.head) == ("conv_classifier", head)
    assert stored.tokens == ("background", "speech")
    logits, _ = model(torch.randn(1, 23, 5), torch.tensor([23]))
    assert logits.shape == (1, 12 if head == "frames" else 1, 2)


def test_every_wrong_tensor_is_named_at_once(tmp_path: Path, members: dict[str, bytes]) -> None:
    tensors = torch.load(io.BytesIO(members["./model_weights.ckpt"]), weights_only=True)
    del tensors["encoder.encoder.1.res.0.0.conv.weight"]
    tensors["encoder.encoder.9.mconv.0.conv.weight"] = torch.ones(2)
    tensors["decoder.decoder_layers.0.bias"] = torch.ones(7)
    tensors["encoder.encoder.0.mconv.2.running_var"][1] = torch.nan
    members["./model_weights.ckpt"] = torch_bytes(tensors)
    with pytest.raises(ForeignModelError) as caught:
        import_nemo(write_archive(tmp_path / "m.nemo", members))
    for part in (
        "no encoder.encoder.1.res.0.0.conv.weight",
        "unknown encoder.encoder.9.mconv.0.conv.weight",
        "decoder.decoder_layers.0.bias of (7,) instead of (4,)",
        "encoder.encoder.0.mconv.2.running_var with NaN",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("encoder._target_", "x.SqueezeformerEncoder", "ConformerEncoder"),
        ("encoder.activation", "gelu", "encoder.activation"),
        ("encoder.feat_in", 6, "encoder.feat_in"),
        ("encoder.jasper", None, "list"),
        ("encoder.jasper", [{**BLOCK, "se": True}], r"jasper\.0\.se"),
        ("encoder.jasper", [{**BLOCK, "filters": "${nowhere}"}], "nowhere"),
        ("encoder.jasper", [{**BLOCK, "repeat": 10**9}], "whole number"),
        ("labels", "${labels}", "circle"),
        ("labels", ["a", "a", "b"], "different tokens"),
        ("labels", ["a"], "num_classes"),
        ("preprocessor.sample_rate", 8000, "sample_rate"),
        ("preprocessor.window_size", 0.5, "window_ms"),
        ("preprocessor.window_size", float("inf"), "can be imported"),
        ("preprocessor.features", None, "whole number"),
        ("decoder._target_", "x.RNNTDecoder", "RNNTDecoder"),
    ],
)
def test_other_configurations_are_errors(
    tmp_path: Path, members: dict[str, bytes], path: str, value: object, message: str
) -> None:
    members["./model_config.yaml"] = yaml.safe_dump(changed(CONV, path, value)).encode()
    with pytest.raises(ForeignModelError, match=message):
        import_nemo(write_archive(tmp_path / "m.nemo", members))


@pytest.mark.parametrize(
    ("config", "path", "value", "sentence"),
    [
        (CONV, "encoder", 3, "[config.encoder] expected a mapping, received int"),
        (CONV, "encoder.jasper", [7], "[config.encoder.jasper.0] expected a mapping, received int"),
        (
            CONV,
            "encoder.jasper",
            [{**BLOCK, "stride": [2], "residual": True}],
            "[config.encoder.jasper.0.residual_mode] expected stride_add, received add",
        ),
        (
            CONV,
            "encoder.jasper",
            [{**BLOCK, "residual": True, "residual_mode": "max"}],
            "[config.encoder.jasper.0.residual_mode] expected stride_add, received max",
        ),
        (
            CONV,
            "labels",
            None,
            "[config] expected labels, decoder.vocabulary or a vocabulary file, received none",
        ),
        (
            CONFORMER,
            "decoder._target_",
            "x.MultiLayerPerceptron",
            "[decoder] expected ConvASRDecoder, received MultiLayerPerceptron",
        ),
        (
            CONFORMER,
            "encoder.att_context_size",
            [64, 64],
            "[encoder.att_context_size] expected [-1, -1], received [64, 64], regular",
        ),
        (
            CONFORMER,
            "encoder.att_context_style",
            "chunked_limited",
            "[encoder.att_context_size] expected [-1, -1], received [-1, -1], chunked_limited",
        ),
        (
            CONFORMER,
            "encoder.conv_context_size",
            "causal",
            "[encoder.conv_context_size] expected none, received causal",
        ),
        (
            CONFORMER,
            "encoder.conv_context_size",
            [4, 0],
            "[encoder.conv_context_size] expected none, received [4, 0]",
        ),
    ],
)
def test_what_runs_otherwise_is_named(
    config: dict[str, object], path: str, value: object, sentence: str
) -> None:
    with pytest.raises(ForeignModelError) as caught:
        understand(yaml.safe_dump(changed(config, path, value)), {})
    assert str(caught.value) == sentence


def test_contexts_of_everything_are_none() -> None:
    """The spellings of a Conformer that hears the whole utterance, which the refusals above leave."""
    vocabulary = {"vocab.txt": "a\nb\n"}
    plain = understand(yaml.safe_dump(CONFORMER), vocabulary)
    for path, value in (
        ("encoder.att_context_size", None),
        ("encoder.att_context_size", [[-1, -1]]),
        ("encoder.conv_context_size", [2, 2]),  # of 5 taps
    ):
        assert understand(yaml.safe_dump(changed(CONFORMER, path, value)), vocabulary) == plain


def test_more_parameters_than_can_be_are_refused_before_any_is_made(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_archive(tmp_path / "m.nemo", members)
    model, _ = import_nemo(path)
    count = sum(parameter.numel() for parameter in model.parameters())
    monkeypatch.setattr(nemo_import, "MAX_PARAMETERS", count)
    import_nemo(path)
    monkeypatch.setattr(nemo_import, "MAX_PARAMETERS", count - 1)
    monkeypatch.setattr(nemo_import, "fill", lambda *_: pytest.fail("filled"))
    with pytest.raises(ForeignModelError) as caught:
        import_nemo(path)
    assert str(caught.value) == f"[{path}] expected at most {count - 1} parameters, received {count}"


class Hostile:
    """Runs a program where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.target), "w")


def test_a_pickle_that_is_more_than_tensors_runs_nothing(tmp_path: Path, members: dict[str, bytes]) -> None:
    members["./model_weights.ckpt"] = torch_bytes({"a": Hostile(tmp_path / "was-here")})
    with pytest.raises(ForeignModelError, match="nothing else"):
        import_nemo(write_archive(tmp_path / "m.nemo", members))
    assert not (tmp_path / "was-here").exists()
    members["./model_weights.ckpt"] = torch_bytes({"a": 1})
    with pytest.raises(ForeignModelError, match="dense tensors by name"):
        import_nemo(write_archive(tmp_path / "m.nemo", members))


@pytest.mark.parametrize("name", ["../model_config.yaml", "/etc/x", "a/../../b", "a\\b"])
def test_names_outside_are_errors(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    with pytest.raises(ForeignModelError, match="inside the archive"):
        import_nemo(write_archive(tmp_path / "m.nemo", {name: b"", **members}))


def test_a_member_that_comes_again_is_an_error(tmp_path: Path, members: dict[str, bytes]) -> None:
    again = {**members, "model_config.yaml": members["./model_config.yaml"]}
    with pytest.raises(ForeignModelError) as caught:
        import_nemo(write_archive(tmp_path / "m.nemo", again))
    assert str(caught.value) == "[model_config.yaml] expected every member once, received it again"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_errors(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("model_config.yaml")
    info.type, info.linkname = kind, "elsewhere"
    with tarfile.open(tmp_path / "m.nemo", "w") as archive:
        archive.addfile(info)
    with pytest.raises(ForeignModelError, match="plain files"):
        import_nemo(tmp_path / "m.nemo")


def test_sizes_beyond_reason_are_errors(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tarfile.TarInfo("huge")
    info.size = 1 << 40  # said, not there
    (tmp_path / "huge.nemo").write_bytes(info.tobuf())
    with pytest.raises(ForeignModelError, match="bytes together"):
        import_nemo(tmp_path / "huge.nemo")
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    (tmp_path / "pax.nemo").write_bytes(gzip.compress(header.tobuf()))
    with pytest.raises(ForeignModelError, match="headers of at most"):
        import_nemo(tmp_path / "pax.nemo")
    with pytest.raises(ForeignModelError, match="more"):
        text = {**members, "./model_config.yaml": b" " * (nemo_archive.MAX_TEXT_BYTES + 1)}
        import_nemo(write_archive(tmp_path / "text.nemo", text))
    monkeypatch.setattr(nemo_archive, "MAX_MEMBERS", 1)
    with pytest.raises(ForeignModelError, match="1 members"):
        import_nemo(write_archive(tmp_path / "many.nemo", members))


def test_compressed_weights_are_an_error(tmp_path: Path, members: dict[str, bytes]) -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(members["./model_weights.ckpt"])) as plain,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as other,
    ):
        for name in plain.namelist():
            other.writestr(name, plain.read(name))
    members["./model_weights.ckpt"] = packed.getvalue()
    with pytest.raises(ForeignModelError, match="stored"):
        import_nemo(write_archive(tmp_path / "m.nemo", members))


def renamed_parts(weights: bytes, names: Callable[[str], list[str]]) -> bytes:
    """Returns a file of torch.save in which every part stands under the names that its own gives."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(weights)) as plain, zipfile.ZipFile(written, "w") as other:
        for name in plain.namelist():
            for new in names(name):
                other.writestr(new, plain.read(name))
    return written.getvalue()


@pytest.mark.parametrize(
    ("extra", "received"), [([], 0), (["archive/data.pkl", "archive/more.pkl"], 2)], ids=["none", "two"]
)
def test_weights_have_one_index(
    tmp_path: Path, members: dict[str, bytes], extra: list[str], received: int
) -> None:
    weights = members["./model_weights.ckpt"]
    members["./model_weights.ckpt"] = renamed_parts(weights, lambda n: extra if n.endswith(".pkl") else [n])
    with pytest.raises(ForeignModelError) as caught:
        import_nemo(write_archive(tmp_path / "m.nemo", members))
    with zipfile.ZipFile(io.BytesIO(weights)) as parts:
        size = received * next(part.file_size for part in parts.infolist() if part.filename.endswith(".pkl"))
    assert str(caught.value) == (
        f"[model_weights.ckpt] expected one index of at most {64 << 20} bytes, received {received} of {size}"
    )


def test_an_index_beyond_its_bound_is_an_error(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nemo_archive, "MAX_PICKLE_BYTES", 100)
    with pytest.raises(
        ForeignModelError, match=r"expected one index of at most 100 bytes, received 1 of \d{3,}$"
    ):
        import_nemo(write_archive(tmp_path / "m.nemo", members))


def test_tensors_have_names_and_are_not_too_many(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = {**members, "./model_weights.ckpt": torch_bytes([torch.ones(2)])}
    with pytest.raises(
        ForeignModelError, match=r"^\[weights\] expected at most 100000 tensors by name, received list$"
    ):
        import_nemo(write_archive(tmp_path / "list.nemo", nameless))
    count = len(torch.load(io.BytesIO(members["./model_weights.ckpt"]), weights_only=True))
    monkeypatch.setattr(nemo_archive, "MAX_TENSORS", 3)
    with pytest.raises(
        ForeignModelError, match=rf"^\[weights\] expected at most 3 tensors by name, received {count}$"
    ):
        import_nemo(write_archive(tmp_path / "many.nemo", members))


def test_damaged_and_incomplete_archives_are_errors(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = write_archive(tmp_path / "m.nemo", members)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ForeignModelError):
        import_nemo(path)
    with pytest.raises(ForeignModelError, match=r"model_weights\.ckpt, received model_config"):
        config = {"model_config.yaml": members["./model_config.yaml"]}
        import_nemo(write_archive(tmp_path / "half.nemo", config))
    with pytest.raises(ForeignModelError, match="readable"):
        import_nemo(tmp_path / "nowhere.nemo")
    with pytest.raises(ForeignModelError, match="YAML"):
        import_nemo(write_archive(tmp_path / "y.nemo", {**members, "./model_config.yaml": b"{a: ["}))


@pytest.mark.parametrize("compressed", [True, False])
def test_a_flipped_bit_is_an_error_or_changes_nothing(
    tmp_path: Path, members: dict[str, bytes], compressed: bool
) -> None:
    """In a plain archive the weights alone, in the zip that torch.save writes, have checksums."""
    path = write_archive(tmp_path / "m.nemo", members, compressed=compressed)
    whole = path.read_bytes()
    model, config = import_nemo(path)
    weights = members["./model_weights.ckpt"]
    first, size = (0, len(whole)) if compressed else (whole.index(weights), len(weights))
    refused = 0
    for i in range(100):
        damaged = bytearray(whole)
        damaged[first + i * size // 100] ^= 1 << i % 8
        path.write_bytes(damaged)
        try:
            found, its_config = import_nemo(path)
        except ForeignModelError:
            refused += 1
        else:
            assert its_config == config
            for name, tensor in model.state_dict().items():
                assert torch.equal(found.state_dict()[name], tensor), (i, name)
    assert refused > (95 if compressed else 30)  # else: the zip's own padding and dates


def test_more_after_the_last_member_is_an_error(tmp_path: Path, members: dict[str, bytes]) -> None:
    """A damaged header ends an archive as its last zeros do: what comes after it would be overlooked."""
    path = write_archive(tmp_path / "m.nemo", {**members, "./0_vocab.txt": b"a"}, compressed=False)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"./0_vocab.txt", b"./0_vocab.TXT"))
    with pytest.raises(ForeignModelError, match="zeros after the last member"):
        import_nemo(path)


def test_a_checkpoint_of_another_kind_is_an_error(tmp_path: Path, members: dict[str, bytes]) -> None:
    import_checkpoint(write_archive(tmp_path / "m.nemo", members), tmp_path / "c")
    config = tmp_path / "c" / "config.json"
    config.write_text(config.read_text().replace('"conv_ctc"', '"conv_classifier"'))
    with pytest.raises(CheckpointError, match="architecture conv_ctc"):
        load_ctc_checkpoint(tmp_path / "c")


def test_the_commands_write_checkpoints(tmp_path: Path, members: dict[str, bytes]) -> None:
    from typer import Typer
    from typer.testing import CliRunner

    from whit.models import cli

    app = Typer()
    app.command("import")(cli.import_)
    app.command("init")(cli.init)
    source = write_archive(tmp_path / "m.nemo", members)
    result = CliRunner().invoke(app, ["import", str(source), "-o", str(tmp_path / "c")])
    assert result.exit_code == 0, result.output
    assert load_ctc_checkpoint(tmp_path / "c")[1].name == "m"
    for seed in ("3", "4"):
        command = ["init", "quartznet-5x5", "-o", str(tmp_path / seed), "--seed", seed]
        assert CliRunner().invoke(app, command).exit_code == 0
    (first, config), (second, _) = (load_ctc_checkpoint(tmp_path / seed) for seed in ("3", "4"))
    assert config.name == "quartznet-5x5-float-seed3"
    assert not torch.equal(first.decoder.weight, second.decoder.weight)
