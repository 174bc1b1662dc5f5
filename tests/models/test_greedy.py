import pytest
import torch

from whit.models.evaluate import evaluate
from whit.models.greedy import MAX_SYMBOLS_PER_FRAME, Emission, greedy_search
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.models.tokens import Tokenizer

CONFIG = RnntConfig(num_mels=5, encoder_hidden=9, embedding=7, predictor_hidden=6, joint_hidden=11)


def chatty(predictor: str) -> Rnnt:
    """A random model whose tokens are about as likely as its blank."""
    model = Rnnt(RnntConfig.from_json(CONFIG.to_json() | {"predictor": predictor, "context": 2}), 4).eval()
    with torch.no_grad():
        model.joint.output.bias.zero_()
        model.joint.output.weight.mul_(4)
    return model


def search_one(model: Rnnt, features: torch.Tensor) -> list[Emission]:
    """The textbook loop: one utterance, one symbol at a time, the whole history predicted anew."""
    encoded, _ = model.encode(features[None])
    history, emissions = [model.blank], []
    for frame in range(encoded.shape[1]):
        for _ in range(MAX_SYMBOLS_PER_FRAME):
            predicted, _ = model.predict(torch.tensor([history]))
            token = int(model.joint(encoded[0, frame], predicted[0, -1]).argmax())
            if token == model.blank:
                break
            history.append(token)
            emissions.append(Emission(token=token, frame=frame))
    return emissions


@pytest.mark.parametrize("predictor", ["lstm", "stateless"])
def test_a_batch_equals_the_textbook_loop(predictor: str) -> None:
    model = chatty(predictor)
    features, lengths = torch.randn(5, 48, 5), torch.tensor([48, 43, 6, 1, 30])
    found = greedy_search(model, features, lengths)
    with torch.no_grad():
        expected = [
            search_one(model, f[: -(-n // 6) * 6]) for f, n in zip(features, lengths.tolist(), strict=True)
        ]
    assert found == expected
    assert sum(map(len, found)) > 5
    assert any(len(e) and max(x.frame for x in e) < 7 for e in found)


def test_symbols_per_frame_are_bounded() -> None:
    model = chatty("lstm")
    with torch.no_grad():
        model.joint.output.bias[:] = torch.tensor([9.0, 0, 0, 0, 0])
        model.joint.output.weight.zero_()
    (emissions,) = greedy_search(model, torch.randn(1, 12, 5), torch.tensor([12]))
    assert [e.frame for e in emissions] == [0] * MAX_SYMBOLS_PER_FRAME + [1] * MAX_SYMBOLS_PER_FRAME


def test_scores_count_words_and_keep_the_order() -> None:
    torch.manual_seed(9)  # of four utterances that are heard, each otherwise
    model = chatty("lstm")
    tokenizer = Tokenizer(["▁a", "▁b", "▁c", "▁d"])
    features = [torch.randn(n, 5).numpy() for n in (31, 6, 48, 12)]
    texts = []
    for f in features:
        padded = torch.full((1, -(-len(f) // 6) * 6, 5), -15.942385)
        padded[0, : len(f)] = torch.from_numpy(f)
        (emissions,) = greedy_search(model, padded, torch.tensor([len(f)]))
        texts.append(tokenizer.decode(e.token for e in emissions))
    assert all(texts) and len(set(texts)) == 4
    first, second, third, fourth = texts
    model.train()
    # Of what was said, one word is heard as another and two are not heard.
    said = [first, "x" + second[1:], third, fourth + " x y"]
    score = evaluate(model, features, said, tokenizer, batch_size=3)
    assert model.training
    assert score.hypotheses == tuple(texts)
    assert score.wer == pytest.approx(100 * 3 / sum(len(text.split()) for text in said))
    assert score.cer == pytest.approx(100 * 5 / sum(map(len, said)))
