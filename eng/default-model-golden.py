#!/usr/bin/env python3
"""default-model-golden.py MODEL TEXT: what PyTorch computes in double precision from the weights of a byte-level model folder.

Prints the golden.json of the default model's tests: the mean loss of the first 512 validation bytes in one window (the first is
context only), and the greedy continuation of a prompt. TEXT is tinyshakespeare.txt.
"""
import json
import math
import sys

import numpy
import torch
import torch.nn.functional as F

VALIDATION = 1015394
SCORED = 512
PROMPT = "ROMEO:\nBut soft, what"
GREEDY = 120
TYPES = {"F16": numpy.float16, "F32": numpy.float32}


def load(folder):
    with open(f"{folder}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    with open(f"{folder}/model.safetensors", "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            values = numpy.frombuffer(data[start + first:start + last], TYPES[entry["dtype"]])
            tensors[name] = torch.tensor(values.astype(numpy.float64)).reshape(entry["shape"])
    return config, tensors


def norm(x, weight, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


class Model:
    """One token at a time, as the paper's recurrence states it."""

    def __init__(self, folder):
        self.config, self.weights = load(folder)
        inner, states = self.config["intermediate_size"], self.config["state_size"]
        self.state = [
            (torch.zeros(inner, self.config["conv_kernel"], dtype=torch.float64), torch.zeros(inner, states, dtype=torch.float64))
            for _ in range(self.config["num_hidden_layers"])
        ]

    def step(self, token):
        x = self.weights["backbone.embeddings.weight"][token]
        epsilon = self.config["layer_norm_epsilon"]
        for layer in range(len(self.state)):
            x = x + self.mixer(layer, norm(x, self.weights[f"backbone.layers.{layer}.norm.weight"], epsilon))
        return self.weights["backbone.embeddings.weight"] @ norm(x, self.weights["backbone.norm_f.weight"], epsilon)

    def mixer(self, layer, x):
        def weight(name):
            return self.weights[f"backbone.layers.{layer}.mixer.{name}"]

        window, h = self.state[layer]
        u, z = (weight("in_proj.weight") @ x).chunk(2)
        window = torch.cat([window[:, 1:], u[:, None]], 1)
        u = F.silu((window * weight("conv1d.weight")[:, 0]).sum(1) + weight("conv1d.bias"))
        rank, states = self.config["time_step_rank"], self.config["state_size"]
        dt, b, c = torch.split(weight("x_proj.weight") @ u, [rank, states, states])
        dt = F.softplus(weight("dt_proj.weight") @ dt + weight("dt_proj.bias"))
        h = torch.exp(dt[:, None] * -torch.exp(weight("A_log"))) * h + (dt * u)[:, None] * b
        self.state[layer] = (window, h)
        return weight("out_proj.weight") @ ((h @ c + weight("D") * u) * F.silu(z))


def main(folder, text):
    with open(text, "rb") as file:
        validation = file.read()[VALIDATION:VALIDATION + SCORED]
    model, cost = Model(folder), 0.0
    for token, target in zip(validation, validation[1:]):
        cost -= F.log_softmax(model.step(token), -1)[target].item()
    model, continuation, margin = Model(folder), bytearray(), math.inf
    for token in PROMPT.encode():
        logits = model.step(token)
    while len(continuation) < GREEDY:
        best, second = torch.topk(logits, 2).values
        margin = min(margin, (best - second).item())
        continuation.append(logits.argmax().item())
        logits = model.step(continuation[-1])
    golden = {
        "val_first_byte_offset": VALIDATION,
        "nll_nats_per_byte_first_512_val_bytes_one_window": cost / (len(validation) - 1),
        "greedy_prompt": PROMPT,
        "greedy_120_bytes": continuation.decode(),
        "greedy_smallest_margin": margin,
    }
    print(json.dumps(golden, indent=1))


if __name__ == "__main__":
    with torch.no_grad():
        main(*sys.argv[1:3])
