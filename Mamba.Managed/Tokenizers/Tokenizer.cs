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

    /// <summary>The ids of a whole text, with the special tokens that the tokenizer puts around one, such as a token at its beginning.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <returns>[tokens]; empty for an empty text, but for special tokens.</returns>
    public int[] Encode(string text) => Encode(text, addSpecialTokens: true, controlTokens: true);

    /// <summary>The ids of a text.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether to put around it what the tokenizer puts around a whole text, such as a token at its beginning; false for a text that continues another.</param>
    /// <param name="controlTokens">
    /// Whether <c>&lt;|endoftext|&gt;</c> in the text becomes that control token. False for what a user wrote: it is then text like any other, and nobody ends a
    /// conversation, or speaks in another's role, by writing so.
    /// </param>
    /// <returns>[tokens]; empty for an empty text, but for special tokens.</returns>
    public abstract int[] Encode(string text, bool addSpecialTokens = true, bool controlTokens = true);

    /// <summary>A text that a template may put among control tokens of its own, with marks where control tokens are written in it, which <see cref="EncodeMarked"/> takes out.</summary>
    /// <param name="text">What a user wrote.</param>
    /// <returns>The text itself, as a rule; where it holds control tokens or could become a part of one, with noncharacters of Unicode around those.</returns>
    public virtual string MarkLiteral(string text) => text;

    /// <summary>The ids of a text that a template made, whose control tokens count, but for those within what <see cref="MarkLiteral"/> marked.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">As of <see cref="Encode(string, bool, bool)"/>.</param>
    /// <returns>[tokens]; a tokenizer that marks nothing knows no control tokens here.</returns>
    public virtual int[] EncodeMarked(string text, bool addSpecialTokens = true) => Encode(text, addSpecialTokens, controlTokens: false);

    /// <summary>The UTF-8 bytes that a token stands for within a text; a character may be split over several tokens.</summary>
    /// <remarks>At the start of a text the tokenizers of the SentencePiece family leave out a space, see <see cref="DecodeBytes"/>.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public abstract ReadOnlySpan<byte> BytesOf(int token);

    /// <summary>The bytes of the whole text that tokens stand for: those of one token after the other, apart from a space that the tokenizer itself puts at the start of a text.</summary>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is out of range.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> tokens)
    {
        ArrayBufferWriter<byte> bytes = new(Math.Max(16, tokens.Length));
        TextStart start = default;
        foreach (int token in tokens)
        {
            bytes.Write(BytesOf(token, ref start));
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>The whole text that tokens stand for, special tokens by their names; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <remarks>For tokens that continue a text use a <see cref="StreamingDecoder"/> that does not begin at its start.</remarks>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is out of range.</exception>
    public string Decode(ReadOnlySpan<int> tokens) => TextEncoding.GetString(DecodeBytes(tokens));

    /// <summary>One line: the kind and the number of tokens.</summary>
    public override string ToString() => Throw.Invariant($"{Name}, {VocabularySize} tokens");

    /// <summary>How bytes become text.</summary>
    internal virtual Encoding TextEncoding => Encoding.UTF8;

    /// <summary>Whether a token is a control token, such as one that ends a text, and not text itself.</summary>
    internal virtual bool IsControl(int token) => false;

    /// <summary>The bytes of a text's next token; at the start of the text they may be others than within it.</summary>
    internal virtual ReadOnlySpan<byte> BytesOf(int token, ref TextStart start) => BytesOf(token);

    private protected void CheckToken(int token)
    {
        if ((uint)token >= (uint)VocabularySize)
        {
            throw new ArgumentOutOfRangeException(nameof(token), token, Throw.Invariant($"expected token ids from 0 to {VocabularySize - 1}"));
        }
    }
}
