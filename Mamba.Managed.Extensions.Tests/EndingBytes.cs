using System.Text;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>One token for each byte, and one that ends a text.</summary>
internal sealed class EndingBytes : Tokenizer
{
    public const int End = 256;

    private static readonly byte[] All = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
    private static readonly byte[] EndText = Encoding.UTF8.GetBytes("<|end|>");

    public override string Name => "ending bytes";

    public override int VocabularySize => 257;

    public override IReadOnlyList<int> EndTokenIds { get; } = [End];

    public override int[] Encode(string text, bool addSpecialTokens = true, bool controlTokens = true) => Array.ConvertAll(Encoding.UTF8.GetBytes(text), value => (int)value);

    public override ReadOnlySpan<byte> BytesOf(int token) => token == End ? EndText : All.AsSpan(token, 1);
}
