namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>A pre-tokenizer that knows whether the first of its pieces still begins where the text begins.</summary>
internal abstract class PreTokenizer : IPreTokenizer
{
    /// <inheritdoc/>
    public List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, bool isStart) => Cut(pieces, ref isStart);

    /// <summary>The pieces, each cut further or with characters replaced; none of them is empty.</summary>
    /// <param name="pieces">The pieces so far.</param>
    /// <param name="isStart">Whether the first piece begins at the very start of the text; false afterwards where that piece has been removed.</param>
    public abstract List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, ref bool isStart);
}
