import torch
from torch import nn

from whit.models.averaged_weights import AveragedWeights


def test_average_follows_the_formula_and_gives_the_weights_back() -> None:
    model = nn.Linear(2, 1)
    average = AveragedWeights(model, 0.75)
    expected = {name: p.detach().clone() for name, p in model.named_parameters()}
    for step in range(60):
        with torch.no_grad():
            for p in model.parameters():
                p += torch.randn_like(p)
        average.update(model)
        decay = min(0.75, (1 + step) / (10 + step))
        for name, p in model.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * p.detach()
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    with average.in_place(model):
        for name, p in model.named_parameters():
            torch.testing.assert_close(p.detach(), expected[name])
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.detach(), own[name], rtol=0, atol=0)


def test_without_decay_the_average_is_the_last_weight() -> None:
    model = nn.Linear(2, 1)
    average = AveragedWeights(model, 0.0)
    with torch.no_grad():
        model.weight += 1
    average.update(model)
    torch.testing.assert_close(average.average["weight"], model.weight.detach(), rtol=0, atol=0)
