using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>One token per UTF-8 byte; the id is the byte.</summary>
/// <remarks>
/// There is no end token unless a model's files name one: the <c>eos_token_id</c> 0 that some writers put into every configuration would be the control
/// character NUL here, and is none.
/// </remarks>
public sealed class ByteTokenizer : Tokenizer
{
    /// <summary>The number of tokens, by which a model without a tokenizer of its own is known to read bytes.</summary>
    internal const int Size = 256;

    private readonly byte[] bytes = [.. Enumerable.Range(0, Size).Select(value => (byte)value)];

    /// <summary>The tokenizer without a token that ends a text.</summary>
    public ByteTokenizer()
        : this([])
    {
    }

    private ByteTokenizer(IReadOnlyList<int> endTokenIds) => EndTokenIds = endTokenIds;

    /// <inheritdoc/>
    public override string Name => "bytes";

    /// <inheritdoc/>
    public override int VocabularySize => bytes.Length;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndTokenIds { get; }

    /// <summary>The tokenizer of a model whose files name these bytes as ends; 0 is passed over.</summary>
    internal static ByteTokenizer EndingWith(IEnumerable<int> endTokenIds) => new([.. endTokenIds.Where(id => id != 0)]);

    /// <inheritdoc/>
    public override int[] Encode(string text, bool addSpecialTokens = true, bool controlTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Array.ConvertAll(Encoding.UTF8.GetBytes(text), value => (int)value);
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int token)
    {
        CheckToken(token);
        return bytes.AsSpan(token, 1);
    }
}
