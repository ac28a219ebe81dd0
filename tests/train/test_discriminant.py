"""The linear discriminant that is blended into the head of lens."""

from __future__ import annotations

import numpy as np
import pytest

from genrelens.train.recipe import HeadConfig


def test_discriminant_of_two_classes_by_hand() -> None:
    """The means are 1 and 5, the covariance is diag(1, 0), shrunk by half to diag(0.75, 0.25).

    The second input is a standard deviation, which does not count.
    """
    import torch

    from genrelens.train.lens.linear import fit_discriminant

    x = torch.tensor([[0.0, 9, 0], [2, -9, 0], [4, 5, 0], [6, 7, 0]])
    layer = fit_discriminant(x, torch.tensor([0, 0, 1, 1]), torch.ones(4), 2)
    expected = torch.tensor([[4 / 3, 0, 0], [20 / 3, 0, 0]]) / 7
    torch.testing.assert_close(layer.weight.detach(), expected)
    torch.testing.assert_close(layer.bias.detach(), torch.tensor([-2 / 3, -50 / 3]) / 7)


def test_discriminant_equals_that_of_scikit_learn() -> None:
    """Each class has the same total weight, as it has there if all priors are equal."""
    import torch
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    from genrelens.train.lens.linear import _SHRINKAGE, _SOFTNESS, fit_discriminant

    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2, 3], [10, 20, 30, 40])
    x = rng.normal(0, 1, (100, 11)) + rng.normal(0, 2, (4, 11))[classes]
    weights = 1 / np.bincount(classes)[classes]
    layer = fit_discriminant(
        torch.from_numpy(x).float(), torch.from_numpy(classes), torch.from_numpy(weights), 4
    )
    used = [0, 1, 2, 3, 4, 10]
    reference = LinearDiscriminantAnalysis("lsqr", shrinkage=_SHRINKAGE, priors=np.full(4, 0.25))
    reference.fit(x[:, used].astype(np.float32).astype(float), classes)
    logits = reference.intercept_ - np.log(0.25)
    weight = layer.weight.detach().double().numpy() * _SOFTNESS
    np.testing.assert_allclose(weight[:, used], reference.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.delete(weight, used, axis=1), 0)
    np.testing.assert_allclose(layer.bias.detach().numpy() * _SOFTNESS, logits, rtol=1e-4)


def test_a_weight_of_two_counts_as_two_sets() -> None:
    import torch

    from genrelens.train.lens.linear import fit_discriminant

    torch.manual_seed(0)
    x, classes = torch.randn(6, 7), torch.tensor([0, 1, 0, 1, 2, 2])
    weights = torch.tensor([1.0, 2, 1, 1, 2, 1])
    repeated = weights.long()
    weighted = fit_discriminant(x, classes, weights, 3)
    longer = x.repeat_interleave(repeated, 0), classes.repeat_interleave(repeated)
    again = fit_discriminant(*longer, torch.ones(8), 3)
    torch.testing.assert_close(weighted.weight, again.weight)
    torch.testing.assert_close(weighted.bias, again.bias)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_blended_logits_are_a_weighted_mean(share: float) -> None:
    import torch
    from torch import nn

    from genrelens.train.lens.heads import JointHead

    torch.manual_seed(0)
    mean, std = torch.randn(5), torch.rand(5) + 0.5
    head = JointHead(mean, std, n_classes=4, config=HeadConfig(hidden=8)).eval()
    linear, x = nn.Linear(5, 4), torch.randn(6, 5)
    with torch.inference_mode():
        expected = torch.lerp(head(x), linear((x - mean) / std), share)
    head.blend(linear, share)
    with torch.inference_mode():
        torch.testing.assert_close(head(x), expected)
