#!/usr/bin/env node
// Writes the pieces and texts that Hugging Face's `tokenizers` for Node (npm) gives, for each kind of pre-tokenizer and normalizer, to the file named.
const fs = require("fs");
const { Tokenizer } = require("tokenizers");
const make = (pre, norm) =>
    Tokenizer.fromString(
        JSON.stringify({
            version: "1.0",
            added_tokens: [],
            normalizer: norm ?? null,
            pre_tokenizer: pre ?? null,
            model: { type: "BPE", vocab: {}, merges: [] },
        }),
    );
const texts = [
    "Hello, world!  It's 12345 o'clock.",
    "  leading and trailing  ",
    "\t\ttabs\u00a0nbsp\u3000ideographic\u2028line\u0085next",
    "a\r\nb\r\n\r\nc\n\n\nd\re",
    "I'LL we've they'RE don'T 'ſ ’s 'd'm",
    "x1y22z333w4444 3.14 1,000",
    "٣٤٥ ४५६ ²³¹ ½ ⅧⅣ ①② 𝟏𝟐 九",
    "𝐀𝐁c 𠀀𠀁 😀😁 a😀b",
    "👨‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇫🇷🇩🇪",
    "e\u0301a\u0308\u0323 \u0301lone q\u0307\u0323",
    "中文字符 ひらがな カタカナ 한국어 각",
    "Ünïcödé Straße ẞ ǅ ﬁ ﷺ Å",
    "İstanbul ıI Σίσυφος ΣΑΣ",
    "SS ſs K k Å",
    "!?... --- «quoted» “a”—b $5+€6=<x>",
    "|<|endoftext|>|",
    "__init__ snake_case camelCase HTTPServer2",
    "for(int i=0;i<10;i++){a[i]*=2;}",
    "http://a.b/c?d=e&f=g#h",
    "नमस्ते दुनिया क़",
    "مرحبا بالعالم، ١٢٣",
    "שָׁלוֹם עולם",
    "กำลัง ไทย",
    "▁already▁marked ▁ x",
    "ĠĊbyte Ä level",
    "\u0000\u0007\u007f\u00ad\u200b\ufeffz",
    "\u0378\uE000\u{10FFFF}\uFFFD",
    "a\u200db\u200cc",
    "1234567",
    "     ",
    "\n",
    "a",
    " a",
    "aaa   bbb",
    "  \n \n  x",
    "\u1100\u1161\u11a8 \u{1D15E} ϒ\u0301",
    "\u00b2\u00b3a _ \u203f",
    "\u166d\u{111c9}\u{11de1}",
    "a.b.c",
    "'",
    "tail  ",
];
const B = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"],
    bl = (a, u) => ({ type: "ByteLevel", add_prefix_space: a, trim_offsets: true, use_regex: u }),
    S = (r, b, i) => ({ type: "Split", pattern: { Regex: r }, behavior: b ?? "Isolated", invert: !!i }),
    seq = (...p) => ({ type: "Sequence", pretokenizers: p }),
    nseq = (...n) => ({ type: "Sequence", normalizers: n });
const llama = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    o200k =
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    deepseek =
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const pres = [
    ...B.flatMap((b) => [S("\\s+|[aeiou]", b, false), S("\\p{L}+", b, true), { type: "Punctuation", behavior: b }]),
    { type: "Split", pattern: { String: " " }, behavior: "MergedWithNext", invert: false },
    { type: "Split", pattern: { String: "a.b" }, behavior: "Removed", invert: true },
    bl(true, true),
    bl(false, true),
    bl(true, false),
    { type: "Digits", individual_digits: true },
    { type: "Digits", individual_digits: false },
    { type: "Whitespace" },
    { type: "WhitespaceSplit" },
    { type: "BertPreTokenizer" },
    { type: "CharDelimiterSplit", delimiter: "a" },
    ...["always", "never", "first"].flatMap((s) => [
        { type: "Metaspace", replacement: "▁", prepend_scheme: s, split: s !== "never" },
        seq({ type: "WhitespaceSplit" }, { type: "Metaspace", replacement: "▁", prepend_scheme: s, split: true }),
    ]),
    S(llama),
    S(o200k),
    seq({ type: "Punctuation", behavior: "Contiguous" }, bl(false, true), { type: "Digits", individual_digits: false }, S("[0-9][0-9][0-9]")),
    seq(S("\\p{N}{1,3}"), S("[一-龥\u3040-ゟ゠-ヿ]+"), S(deepseek), bl(false, false)),
    S("\\p{Han}+|\\p{Hiragana}|[[:punct:]]+|(?i:k|σ)|(?<=\\p{Lu})\\p{Ll}|\\b\\d++|[\\w&&\\P{Latin}]+|^.|.$"),
];
const norms = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"]
    .map((type) => ({ type }))
    .concat([
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
        { type: "Replace", pattern: { Regex: "\\s+|\\d" }, content: "x " },
        { type: "Strip", strip_left: true, strip_right: false },
        { type: "Strip", strip_left: false, strip_right: true },
        nseq({ type: "NFD" }, { type: "StripAccents" }, { type: "Lowercase" }),
    ]);
const out = {
    texts,
    pre_tokenizers: pres.map((p) => ({
        json: p,
        pieces: texts.map((t) =>
            make(p)
                .getPreTokenizer()
                .preTokenizeString(t)
                .map((x) => x[0])
                .join("\u0001"),
        ),
    })),
    normalizers: norms.map((n) => ({ json: n, texts: texts.map((t) => make(null, n).getNormalizer().normalizeString(t)) })),
};
let s = JSON.stringify(out, null, 0)
    .replace(/\},\{"json"/g, '},\n{"json"')
    .replace(/[\u0080-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
fs.writeFileSync(process.argv[2], s + "\n");
