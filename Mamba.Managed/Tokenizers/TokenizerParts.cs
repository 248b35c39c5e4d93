namespace Mamba.Managed.Tokenizers;

/// <summary>What a byte-level BPE tokenizer is made of, and what files of either kind hold of it.</summary>
/// <param name="Vocabulary">Each token, written in GPT-2's byte alphabet, with its id.</param>
/// <param name="Merges">The pairs of tokens that merge, with a space between; first those that merge first.</param>
/// <param name="Added">Tokens found in the text as it stands.</param>
/// <param name="EndTokenId">The token that ends a text, if any.</param>
/// <param name="Normalizes">Whether text is brought to Unicode form C.</param>
internal sealed record TokenizerParts(
    IReadOnlyCollection<KeyValuePair<string, int>> Vocabulary,
    IReadOnlyCollection<string> Merges,
    IReadOnlyCollection<AddedToken> Added,
    int? EndTokenId,
    bool Normalizes)
{
    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public BpeTokenizer ToTokenizer() => new(this);
}
