namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Pre-tokenizers one after the other; each cuts what the former ones left.</summary>
internal sealed class PreTokenizerSequence(IReadOnlyList<PreTokenizer> parts) : PreTokenizer
{
    /// <inheritdoc/>
    public override List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, ref bool isStart)
    {
        foreach (PreTokenizer part in parts)
        {
            pieces = part.Cut(pieces, ref isStart);
        }

        return pieces;
    }
}
