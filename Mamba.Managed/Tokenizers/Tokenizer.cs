using System.Buffers;
using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>Turns text into the token ids of a model and back.</summary>
/// <remarks>A tokenizer never changes after it was made; any number of threads may use it at once.</remarks>
public abstract class Tokenizer
{
    /// <summary>The kind of tokenizer: <c>bytes</c> or <c>bpe</c>.</summary>
    public abstract string Name { get; }

    /// <summary>One more than the largest id. A model's own vocabulary may be larger by padding.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The tokens that end a text, the usual one first; empty where there is none.</summary>
    public abstract IReadOnlyList<int> EndTokenIds { get; }

    /// <summary>The usual token that ends a text, and from which an empty prompt starts: the first of <see cref="EndTokenIds"/>; null where there is none.</summary>
    public int? EndTokenId => EndTokenIds is [int first, ..] ? first : null;

    /// <summary>The ids of a text.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <returns>[tokens]; empty for an empty text.</returns>
    public abstract int[] Encode(string text);

    /// <summary>The UTF-8 bytes that a token stands for; a character may be split over several tokens.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public abstract ReadOnlySpan<byte> BytesOf(int token);

    /// <summary>The bytes that tokens stand for, one token after the other.</summary>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is out of range.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> tokens)
    {
        ArrayBufferWriter<byte> bytes = new(Math.Max(16, tokens.Length));
        foreach (int token in tokens)
        {
            bytes.Write(BytesOf(token));
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>The text that tokens stand for; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is out of range.</exception>
    public string Decode(ReadOnlySpan<int> tokens) => Encoding.UTF8.GetString(DecodeBytes(tokens));

    /// <summary>One line: the kind and the number of tokens.</summary>
    public override string ToString() => Throw.Invariant($"{Name}, {VocabularySize} tokens");

    private protected void CheckToken(int token)
    {
        if ((uint)token >= (uint)VocabularySize)
        {
            throw new ArgumentOutOfRangeException(nameof(token), token, Throw.Invariant($"expected token ids from 0 to {VocabularySize - 1}"));
        }
    }
}
