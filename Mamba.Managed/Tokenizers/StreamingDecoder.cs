using System.Buffers;
using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>Decodes tokens one by one; a character that is split over several tokens is returned when it is complete.</summary>
/// <remarks>All pieces together equal <see cref="Tokenizer.Decode"/> of all tokens. A piece stays valid until the next call.</remarks>
/// <param name="tokenizer">The tokenizer of the tokens.</param>
/// <param name="isStart">Whether the first token begins a text, where some tokenizers leave out a space; false for tokens that continue one.</param>
public sealed class StreamingDecoder(Tokenizer tokenizer, bool isStart = true)
{
    private readonly Decoder decoder = tokenizer.TextEncoding.GetDecoder();
    private TextStart start = new(IsPassed: !isStart);
    private readonly byte[] last = new byte[3];
    private char[] buffer = new char[64];
    private int incomplete;

    /// <summary>The text that <paramref name="token"/> completes; empty while a character is incomplete.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public ReadOnlySpan<char> Append(int token) => Decode(tokenizer.BytesOf(token, ref start), flush: false);

    /// <summary>The bytes of the character that is incomplete, at most three; valid until the next call.</summary>
    internal ReadOnlySpan<byte> Incomplete => last.AsSpan(0, incomplete);

    /// <summary>The text that some bytes complete.</summary>
    internal ReadOnlySpan<char> Append(ReadOnlySpan<byte> bytes) => Decode(bytes, flush: false);

    /// <summary>The end of the text: U+FFFD where a character is still incomplete. The decoder may be used again, as when it was made.</summary>
    public ReadOnlySpan<char> Flush()
    {
        start = new(IsPassed: !isStart);
        return Decode([], flush: true);
    }

    private Span<char> Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int most = tokenizer.TextEncoding.GetMaxCharCount(bytes.Length);
        if (buffer.Length < most)
        {
            buffer = new char[most];
        }

        Remember(bytes, flush);
        return buffer.AsSpan(0, decoder.GetChars(bytes, buffer, flush));
    }

    private void Remember(ReadOnlySpan<byte> bytes, bool flush)
    {
        // An incomplete character has at most three bytes; if three bytes are new, no older one can belong to it.
        int before = bytes.Length < last.Length ? incomplete : 0;
        ReadOnlySpan<byte> end = bytes[^Math.Min(bytes.Length, last.Length)..];
        Span<byte> tail = stackalloc byte[2 * last.Length];
        Incomplete[..before].CopyTo(tail);
        end.CopyTo(tail[before..]);
        tail = tail[..(before + end.Length)];
        bool isIncomplete = Rune.DecodeLastFromUtf8(tail, out _, out int length) == OperationStatus.NeedMoreData && !tail.IsEmpty;
        incomplete = isIncomplete && !flush ? length : 0;
        tail[^incomplete..].CopyTo(last);
    }
}
