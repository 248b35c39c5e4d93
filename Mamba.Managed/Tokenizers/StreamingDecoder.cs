using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>Turns tokens into text as they come; a character that is spread over tokens appears when it is complete.</summary>
/// <remarks>All pieces together equal <see cref="Tokenizer.Decode"/> of all tokens. A piece stays valid until the next call.</remarks>
/// <param name="tokenizer">What the tokens stand for.</param>
public sealed class StreamingDecoder(Tokenizer tokenizer)
{
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();
    private char[] buffer = new char[64];

    /// <summary>The text that <paramref name="token"/> completes; empty while a character is incomplete.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public ReadOnlySpan<char> Append(int token) => Decode(tokenizer.BytesOf(token), flush: false);

    /// <summary>The end of the text: U+FFFD where a character is still incomplete. The decoder may be used again.</summary>
    public ReadOnlySpan<char> Flush() => Decode([], flush: true);

    private Span<char> Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int most = Encoding.UTF8.GetMaxCharCount(bytes.Length);
        if (buffer.Length < most)
        {
            buffer = new char[most];
        }

        return buffer.AsSpan(0, decoder.GetChars(bytes, buffer, flush));
    }
}
