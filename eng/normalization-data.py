#!/usr/bin/env python3
"""Writes Mamba.Managed/Tokenizers/NormalizationData.txt and the tests' nfc/golden.json from Python's Unicode database."""
import json, pathlib, random, unicodedata as u

root = pathlib.Path(__file__).resolve().parent.parent
points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
lines = [f"# Unicode {u.unidata_version}. CODE=PARTS: canonical decomposition, with ! where parts never compose again. FIRST-LAST:CLASS: combining class."]
for c in points:
    parts = u.decomposition(chr(c))
    if parts and not parts.startswith("<"):
        lines.append(f"{c:X}={parts}{'' if u.normalize('NFC', chr(c)) == chr(c) else '!'}")
runs = []
for c in points:
    k = u.combining(chr(c))
    if k and runs and runs[-1][1] == c - 1 and runs[-1][2] == k:
        runs[-1][1] = c
    elif k:
        runs.append([c, c, k])
lines += [f"{a:X}-{b:X}:{k}" for a, b, k in runs]
(root / "Mamba.Managed/Tokenizers/NormalizationData.txt").write_text("\n".join(lines) + "\n", "ascii", newline="\n")

random.seed(1)
marks = [c for c in points if u.combining(chr(c))]
letters = [c for c in points if u.decomposition(chr(c)) and u.decomposition(chr(c))[0] != "<"] + list(range(0x41, 0x7B)) + list(range(0x1100, 0x1200)) + list(range(0xAC00, 0xAD00))
cases = []
for i in range(400):
    text = "".join(chr(random.choice(letters if random.random() < 0.4 else marks)) for _ in range(random.randint(1, 12)))
    if i % 2:
        text = u.normalize("NFD", text)
    cases.append({"text": text, "nfc": u.normalize("NFC", text)})
folder = root / "Mamba.Managed.Tests/Fixtures/nfc"
folder.mkdir(parents=True, exist_ok=True)
(folder / "golden.json").write_text(json.dumps(cases, indent=0) + "\n", "ascii", newline="\n")
