using System.Text;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Maps the UTF-8 bytes of pieces to GPT-2's byte alphabet, after cutting them into words, where that is asked for.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    /// <summary>GPT-2's words.</summary>
    public const string Words = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly SplitPreTokenizer? words = useRegex ? new(CodePointRegex.Parse(Words), SplitBehavior.Isolated) : null;
    private readonly char[] alphabet = [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.CharacterOf((byte)value))];

    /// <inheritdoc/>
    public override List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, ref bool isStart)
    {
        if (addPrefixSpace)
        {
            pieces = [.. pieces.Select(piece => piece.Span.StartsWith(' ') ? piece : $" {piece}".AsMemory())];
        }

        pieces = words?.Cut(pieces, ref isStart) ?? pieces;
        return ToBytes(pieces);
    }

    private List<ReadOnlyMemory<char>> ToBytes(List<ReadOnlyMemory<char>> pieces)
    {
        List<ReadOnlyMemory<char>> mapped = new(pieces.Count);
        char[] images = new char[pieces.Sum(piece => Encoding.UTF8.GetByteCount(piece.Span))];
        int end = 0;
        foreach (ReadOnlyMemory<char> piece in pieces)
        {
            int start = end;
            end = Map(piece.Span, images, start);
            mapped.Add(images.AsMemory(start, end - start));
        }

        return mapped;
    }

    private int Map(ReadOnlySpan<char> text, char[] images, int end)
    {
        Span<byte> utf8 = stackalloc byte[4];
        for (int at = 0; at < text.Length;)
        {
            if (text[at] < 0x80)
            {
                images[end++] = alphabet[text[at++]];
                continue;
            }

            Rune.DecodeFromUtf16(text[at..], out Rune rune, out int consumed);
            at += consumed;
            foreach (byte value in utf8[..rune.EncodeToUtf8(utf8)])
            {
                images[end++] = alphabet[value];
            }
        }

        return end;
    }
}
