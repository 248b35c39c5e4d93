#!/usr/bin/env node
// Writes the Unicode tables of Mamba.Managed/Tokenizers and the tests' nfc/golden.json.
//
//   node eng/tokenizer-unicode-data.js UCD
//
// Hugging Face's `tokenizers` for Node (npm) must be installed where Node finds it; UCD is a folder with UnicodeData.txt, Scripts.txt and
// PropertyValueAliases.txt (Debian's unicode-data). Which characters belong to a class, and what a form makes of a character, is asked of the library
// itself, because its parts follow different versions of Unicode; the files only give names and candidates.
const fs = require("fs"),
    path = require("path"),
    { Tokenizer } = require("tokenizers");
const root = path.join(__dirname, ".."),
    ucd = (name) => fs.readFileSync(path.join(process.argv[2], name), "utf8").split("\n");
const make = (pre, normalizer) =>
    Tokenizer.fromString(
        JSON.stringify({ version: "1.0", added_tokens: [], normalizer, pre_tokenizer: pre, model: { type: "BPE", vocab: {}, merges: [] } }),
    );
const pieces = (pre, text) => make(pre, null).getPreTokenizer().preTokenizeString(text);
const normalizer = (type) => {
    const n = make(null, { type }).getNormalizer();
    return (text) => n.normalizeString(text);
};
const hex = (c) => c.toString(16).toUpperCase(),
    char = (c) => String.fromCodePoint(c),
    points = (text) => [...text].map((c) => c.codePointAt(0));

const all = [];
for (let c = 0; c < 0x110000; c++) if (c < 0xd800 || c > 0xdfff) all.push(c);
const everything = all.map(char).join("");

// The characters that a pre-tokenizer removes from a text of all characters.
function removed(pre) {
    const kept = new Uint8Array(all.length);
    for (const [, [from, to]] of pieces(pre, everything)) kept.fill(1, from, to);
    return all.filter((_, i) => !kept[i]);
}
const matched = (expression) => removed({ type: "Split", pattern: { Regex: expression }, behavior: "Removed", invert: false });
function ranges(chars) {
    const runs = [];
    for (const c of chars) runs.length && runs.at(-1)[1] === c - 1 ? (runs.at(-1)[1] = c) : runs.push([c, c]);
    return runs.map(([a, b]) => (a === b ? hex(a) : hex(a) + "-" + hex(b))).join(" ");
}

const lines = ["# Names and their characters; each name as expressions write it, without spaces and dashes, in lower case."];
const category = new Map();
for (const name of "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split(" ")) {
    const chars = matched(`\\p{${name}}+`);
    chars.forEach((c) => category.set(c, name));
    if (name !== "Cn") lines.push(`${name.toLowerCase()}=${ranges(chars)}`);
}
for (const name of ["White_Space", "Alphabetic", "Uppercase", "Lowercase"])
    lines.push(`${name.replaceAll("_", "").toLowerCase()}=${ranges(matched(`\\p{${name}}+`))}`);

const scripts = new Set(
    ucd("Scripts.txt")
        .map((line) => line.match(/^[0-9A-F.]+\s*;\s*(\w+)/)?.[1])
        .filter(Boolean),
);
for (const name of ["Garay", "Gurung_Khema", "Kirat_Rai", "Ol_Onal", "Sunuwar", "Todhri", "Tulu_Tigalari", "Unknown"]) scripts.add(name);
const aliases = new Map(
    ucd("PropertyValueAliases.txt")
        .filter((line) => line.startsWith("sc ;"))
        .map((line) => line.split(";").map((part) => part.trim()))
        .map(([, short, long]) => [long, short]),
);
for (const name of [...scripts].sort()) {
    try {
        lines.push(`${name.replaceAll("_", "").toLowerCase()}=${ranges(matched(`\\p{${name}}+`))}`);
    } catch {
        continue;
    }
    const short = aliases.get(name)?.toLowerCase();
    if (short && short !== name.toLowerCase()) {
        try {
            make({ type: "Split", pattern: { Regex: `\\p{${short}}` }, behavior: "Removed", invert: false }, null);
            lines.push(`${short}=${name.replaceAll("_", "").toLowerCase()}`);
        } catch {
            /* not a name there */
        }
    }
}

// Parts of the library that are written in Rust follow other versions of Unicode than its expressions.
lines.push(`#punctuation=${ranges(removed({ type: "Punctuation", behavior: "Removed" }))}`);
lines.push(
    `#numeric=${ranges(
        pieces({ type: "Digits", individual_digits: false }, all.map((c) => "a" + char(c) + "a").join(""))
            .map(([t]) => t)
            .filter((t) => t !== "a" && points(t).length === 1)
            .map((t) => points(t)[0]),
    )}`,
);
const accents = normalizer("StripAccents");
lines.push(`#accents=${ranges(all.filter((c) => accents(char(c)) === ""))}`);
const lower = normalizer("Lowercase");
lines.push(
    `#lower=${all
        .filter((c) => lower(char(c)) !== char(c))
        .map(
            (c) =>
                hex(c) +
                ">" +
                points(lower(char(c)))
                    .map(hex)
                    .join("+"),
        )
        .join(" ")}`,
);

// Sets of characters that are one when case is ignored. Those that then equal several characters are listed apart.
const cased = all.filter(
    (c) =>
        lower(char(c)) !== char(c) ||
        char(c).toUpperCase() !== char(c) ||
        char(c).toLowerCase() !== char(c) ||
        ["Lu", "Ll", "Lt"].includes(category.get(c)),
);
const casedText = cased.map(char).join("\n"),
    seen = new Set(),
    folds = [];
const escaped = (c) => `\\x{${hex(c)}}`;
for (const c of cased) {
    if (seen.has(c)) continue;
    const same = pieces({ type: "Split", pattern: { Regex: `(?i:${escaped(c)})` }, behavior: "Removed", invert: true }, casedText)
        .map(([t]) => points(t))
        .filter((t) => t.length === 1)
        .map((t) => t[0]);
    same.forEach((s) => seen.add(s));
    if (same.length > 1) folds.push(same.map(hex).join("+"));
}
lines.push(`#folds=${folds.join(" ")}`);
const expand = (c) =>
    [
        ...new Set([char(c).toUpperCase().toLowerCase(), char(c).toLowerCase(), char(c).normalize("NFKC").toLowerCase(), c === 0x1e9e ? "ss" : ""]),
    ].filter((t) => points(t).length > 1);
const long = cased.filter((c) =>
    expand(c).some(
        (t) =>
            pieces({ type: "Split", pattern: { Regex: `(?i:${points(t).map(escaped).join("")})` }, behavior: "Removed", invert: true }, char(c))
                .length === 1,
    ),
);
lines.push(
    `#longfolds=${[
        ...new Set(
            long.flatMap((c) =>
                expand(c)
                    .map((t) => points(t).map(hex).join("+"))
                    .map((t) => `${hex(c)}>${t}`),
            ),
        ),
    ].join(" ")}`,
);
fs.writeFileSync(path.join(root, "Mamba.Managed/Tokenizers/CharacterData.txt"), lines.join("\n") + "\n");

const nfc = normalizer("NFC"),
    nfd = normalizer("NFD"),
    nfkd = normalizer("NFKD");
const table = [
    "# CODE=PARTS: canonical decomposition, with ! where parts never compose again. CODE~PARTS: compatibility decomposition. FIRST-LAST:CLASS: combining class.",
];
const data = ucd("UnicodeData.txt")
    .filter(Boolean)
    .map((line) => line.split(";"))
    .map((f) => ({ c: parseInt(f[0], 16), cls: +f[3], parts: f[5] }));
for (const { c, parts } of data) {
    if (parts && !parts.startsWith("<") && nfd(char(c)) !== char(c)) table.push(`${hex(c)}=${parts}${nfc(char(c)) === char(c) ? "" : "!"}`);
}
for (const c of all) {
    if (nfkd(char(c)) !== nfd(char(c)))
        table.push(
            `${hex(c)}~${points(nfkd(char(c)))
                .map(hex)
                .join(" ")}`,
        );
}
// A mark has its class where it changes places with a mark of a lower or a higher one.
const runs = [];
for (const { c, cls } of data) {
    if (!cls || nfd(cls === 1 ? "\u0300" + char(c) : char(c) + "\u0334") === (cls === 1 ? "\u0300" + char(c) : char(c) + "\u0334")) continue;
    if (runs.length && runs.at(-1)[1] === c - 1 && runs.at(-1)[2] === cls) runs.at(-1)[1] = c;
    else runs.push([c, c, cls]);
}
for (const [a, b, cls] of runs) table.push(`${hex(a)}-${hex(b)}:${cls}`);
fs.writeFileSync(path.join(root, "Mamba.Managed/Tokenizers/NormalizationData.txt"), table.join("\n") + "\n");

let seed = 1;
const random = (n) => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0), Math.floor((seed / 4294967296) * n));
const marks = data.filter((d) => d.cls).map((d) => d.c),
    letters = data.filter((d) => d.parts).map((d) => d.c);
for (let c = 0x41; c < 0x7b; c++) letters.push(c);
for (let c = 0x1100; c < 0x1200; c++) letters.push(c, c + 0x9b00);
const forms = ["NFC", "NFD", "NFKC", "NFKD"].map((type) => [type.toLowerCase(), normalizer(type)]),
    cases = [];
for (let i = 0; i < 400; i++) {
    let text = "";
    for (let n = 1 + random(12); n > 0; n--) text += char(random(10) < 4 ? letters[random(letters.length)] : marks[random(marks.length)]);
    if (i % 2) text = nfd(text);
    cases.push({ text, ...Object.fromEntries(forms.map(([name, form]) => [name, form(text)])) });
}
const ascii = JSON.stringify(cases, null, 0)
    .replaceAll("},{", "},\n{")
    .replace(/[\u0080-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
fs.writeFileSync(path.join(root, "Mamba.Managed.Tests/Fixtures/nfc/golden.json"), ascii + "\n");
