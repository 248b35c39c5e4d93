namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Splits a text into the pieces within which tokens are merged.</summary>
internal interface IPreTokenizer
{
    /// <summary>The pieces, each cut further or with characters replaced; none of them is empty.</summary>
    /// <param name="pieces">The pieces so far; they must not contain lone surrogates.</param>
    /// <param name="isStart">Whether the first piece begins at the very start of the text.</param>
    List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, bool isStart);
}
