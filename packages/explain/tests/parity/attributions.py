#!/usr/bin/env python3
"""Holds attributions against Captum, live, on one network with the same weights. Run by tests/parity/run."""
import pathlib
import subprocess
import warnings

from package import WORK, compiled, peers

with peers():
    import captum.attr as attr
    import numpy as np
    import torch
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
    from torch import nn

warnings.filterwarnings("ignore")
PROGRAM = compiled(pathlib.Path(__file__).with_name("explain.cpp"), "classic")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(128, 16), nn.Linear(16, 4)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        h = self.pool(self.relu2(self.conv2(self.relu1(self.conv1(x)))))
        return self.fc2(self.relu3(self.fc1(torch.flatten(h, 1))))


torch.manual_seed(0)
net = Net().double().eval()
with torch.no_grad():
    net.fc1.weight.copy_(torch.randn(16, 128) * 0.2)
x, base = torch.randn(3, 3, 8, 8).double(), 0.3 * torch.randn(3, 3, 8, 8).double()
target = torch.tensor([0, 3, 1])
mask = (torch.arange(8)[:, None] // 4 * 2 + torch.arange(8)[None] // 4).expand(1, 3, 8, 8)
np.savez(WORK / "in.npz", x=x, base=base, target=target, mask=mask,
         **{name: value.detach() for name, value in net.state_dict().items()})
subprocess.run([PROGRAM, "attributions", WORK / "in.npz", WORK / "out.npz"], check=True)
ours = dict(np.load(WORK / "out.npz"))

ig = attr.IntegratedGradients(net)


def lrp(rule, **options):
    for layer in (net.conv1, net.conv2, net.fc1, net.fc2):
        layer.rule = rule(**options)
    return attr.LRP(net).attribute(x.clone().requires_grad_(), target=target)


theirs = {
    "logits": net(x),
    "saliency": attr.Saliency(net).attribute(x, target=target),
    "input_x_gradient": attr.InputXGradient(net).attribute(x, target=target),
    "integrated_gradients": ig.attribute(x, base, target=target),
    "ig_middle": ig.attribute(x, base, target=target, n_steps=20, method="riemann_middle"),
    "guided_backprop": attr.GuidedBackprop(net).attribute(x, target=target),
    "deconvolution": attr.Deconvolution(net).attribute(x, target=target),
    "deep_lift": attr.DeepLift(net).attribute(x, base, target=target),
    "deep_lift_shap": attr.DeepLiftShap(net).attribute(x, base, target=target),
    "grad_cam": attr.LayerGradCam(net, net.conv2).attribute(x, target=target)[:, 0],
    "occlusion": attr.Occlusion(net).attribute(x, (3, 3, 2), (3, 2, 1), target=target),
    "feature_ablation": attr.FeatureAblation(net).attribute(x, base, target=target, feature_mask=mask),
    "lrp_epsilon": lrp(EpsilonRule),
    "lrp_gamma": lrp(GammaRule),
    "lrp_alpha1_beta0": lrp(Alpha1_Beta0_Rule),
}
bad = []
for name, value in theirs.items():
    value = value.detach().numpy()
    off = np.abs(ours[name] - value).max() / max(np.abs(value).max(), 1e-12)
    print(f"{name}: {off:.1e} of the largest, beside Captum")
    if not off < 1e-6:
        bad.append(name)
for name in ("ig_delta", "deep_lift_delta"):
    print(f"{name}: {np.abs(ours[name]).max():.1e}")
assert np.abs(ours["deep_lift_delta"]).max() < 1e-9
assert not bad, bad
