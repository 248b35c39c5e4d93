using System.Globalization;
using System.Text;
using System.Text.Json;
using Mamba.Managed.Tokenizers.Splitting;
using static Mamba.Managed.Tokenizers.TokenizerJson;

namespace Mamba.Managed.Tokenizers;

/// <summary>From a token of the vocabulary to the bytes that it stands for: the <c>decoder</c> of <c>tokenizer.json</c>.</summary>
/// <remarks>
/// Text is generated token by token, so a decoder is a rule for one token, apart from the start of a text. A decoder whose last tokens differ, or
/// whose replacements reach over several tokens, is refused.
/// </remarks>
internal sealed class TokenDecoder
{
    private const string Where = "decoder";

    private readonly List<Func<string, bool, string>> steps = [];
    private bool isFused;

    // The characters by which replacements may still lengthen the tokens of the vocabulary, all together.
    private int growth = 1 << 24;

    private TokenDecoder()
    {
    }

    /// <summary>Whether tokens of the vocabulary are written in GPT-2's byte alphabet.</summary>
    public bool IsByteLevel { get; private set; }

    /// <summary>Whether tokens such as <c>&lt;0x0A&gt;</c> are bytes.</summary>
    public bool HasByteTokens { get; private set; }

    /// <summary>Whether the first token of a text differs from the others.</summary>
    public bool HasFirst { get; private set; }

    /// <summary>The character that is left out at the start of a text.</summary>
    public byte Stripped { get; private set; }

    /// <summary>How many of <see cref="Stripped"/> are left out at most.</summary>
    public int MostStripped { get; private set; }

    /// <summary>Reads it.</summary>
    /// <exception cref="InvalidDataException">Its kind or one of its fields is not supported.</exception>
    public static TokenDecoder Read(JsonElement? json)
    {
        TokenDecoder decoder = new();
        if (json is { ValueKind: not JsonValueKind.Null } element)
        {
            decoder.Add(element);
        }
        else
        {
            // Without a decoder there is a space between tokens.
            decoder.HasFirst = true;
            decoder.steps.Add((token, isFirst) => isFirst ? token : " " + token);
        }

        return decoder;
    }

    /// <summary>The bytes of a token.</summary>
    /// <param name="token">As the vocabulary writes it.</param>
    /// <param name="isFirst">Whether it is the first of a text.</param>
    public byte[] BytesOf(string token, bool isFirst)
    {
        if (HasByteTokens && ByteOf(token) is { } value)
        {
            return [value];
        }

        foreach (Func<string, bool, string> step in steps)
        {
            token = step(token, isFirst);
        }

        return IsByteLevel ? ByteAlphabet.BytesOf(token) : Encoding.UTF8.GetBytes(token);
    }

    private static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : null;

    private void Add(JsonElement decoder)
    {
        string kind = Text(decoder, "type", Where);
        switch (kind)
        {
            case "Sequence":
                foreach (JsonElement part in (Get(decoder, "decoders", JsonValueKind.Array) ?? throw Missing($"{Where}.decoders")).EnumerateArray())
                {
                    Add(part);
                }

                break;
            case "ByteLevel":
                Throw.Unless(!isFused && !HasByteTokens, $"{Where}: expected ByteLevel before Fuse and without ByteFallback; another order is not supported");
                IsByteLevel = isFused = true;
                break;
            case "ByteFallback":
                Throw.Unless(!isFused, $"{Where}: expected ByteFallback before Fuse; another order is not supported");
                HasByteTokens = true;
                break;
            case "Fuse":
                isFused = true;
                break;
            case "Replace":
                AddReplace(decoder);
                break;
            case "Metaspace":
                AddMetaspace(decoder);
                break;
            case "Strip":
                AddStrip(decoder);
                break;
            default:
                throw new InvalidDataException(
                    $"{Where}.type: expected Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace or Metaspace, found {kind}; this kind is not supported");
        }
    }

    private void AddReplace(JsonElement decoder)
    {
        // A single character is the same within a token as in the text as a whole, unless it can be made of bytes.
        string? text = Get(decoder, "pattern", JsonValueKind.Object) is { } pattern ? Get(pattern, "String", JsonValueKind.String)?.GetString() : null;
        bool isCharacter = text is not null && Rune.DecodeFromUtf16(text, out Rune first, out int length) == System.Buffers.OperationStatus.Done
            && length == text.Length && !first.IsAscii;
        Throw.Unless(!IsByteLevel && MostStripped == 0 && (isCharacter || !(isFused || HasByteTokens)), $"{Where}: expected Replace before ByteLevel, ByteFallback, Fuse and Strip; another order is not supported");
        INormalizer replace = NormalizerJson.Read(decoder)!;
        steps.Add((token, _) =>
        {
            string replaced = replace.Normalize(token, token.Length + growth);
            growth -= Math.Max(replaced.Length - token.Length, 0);
            return replaced;
        });
    }

    private void AddMetaspace(JsonElement decoder)
    {
        string mark = Get(decoder, "replacement", JsonValueKind.String)?.GetString() ?? "\u2581";
        Throw.Unless(new StringInfo(mark).LengthInTextElements == 1, $"{Where}.replacement: expected one character, found '{mark}'");
        string scheme = Get(decoder, "prepend_scheme", JsonValueKind.String)?.GetString() ?? (Flag(decoder, "add_prefix_space", true) ? "always" : "never");
        Throw.Unless(scheme is "always" or "first" or "never", $"{Where}.prepend_scheme: expected always, first or never, found {scheme}");
        bool keepsFirst = scheme == "never" || !Flag(decoder, "add_prefix_space", true);
        Throw.Unless(!IsByteLevel && MostStripped == 0 && (keepsFirst || !isFused), $"{Where}: expected Metaspace before Fuse, Strip and ByteLevel; another order is not supported");
        HasFirst |= !keepsFirst;
        steps.Add((token, isFirst) => token.Replace(mark, isFirst && !keepsFirst ? "" : " ", StringComparison.Ordinal));
    }

    private void AddStrip(JsonElement decoder)
    {
        string content = Text(decoder, "content", Where);
        int start = Id(Get(decoder, "start", JsonValueKind.Number) ?? throw Missing($"{Where}.start"), $"{Where}.start");
        int stop = Id(Get(decoder, "stop", JsonValueKind.Number) ?? throw Missing($"{Where}.stop"), $"{Where}.stop");
        Throw.Unless(content is [< '\u0080'] && start >= 0 && stop >= 0, $"{Where}: expected Strip of one ASCII character, found '{content}', {start} and {stop}; this is not supported");
        if (isFused)
        {
            Throw.Unless(stop == 0 && MostStripped == 0, $"{Where}: expected one Strip at the start of the text, found one at its end or a second one; this is not supported");
            (Stripped, MostStripped) = ((byte)content[0], start);
        }
        else
        {
            Throw.Unless(!HasByteTokens, $"{Where}: expected Fuse between ByteFallback and Strip; another order is not supported");
            steps.Add((token, _) => Strip(token, content[0], start, stop));
        }
    }

    private static string Strip(string token, char content, int start, int stop)
    {
        int from = 0, to = token.Length;
        while (from < Math.Min(start, token.Length) && token[from] == content)
        {
            from++;
        }

        while (to > from && token.Length - to < stop && token[to - 1] == content)
        {
            to--;
        }

        return token[from..to];
    }
}
