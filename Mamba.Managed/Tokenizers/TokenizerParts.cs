namespace Mamba.Managed.Tokenizers;

/// <summary>The parts of a byte-level BPE tokenizer, as <c>tokenizer.json</c> and GGUF files store them.</summary>
/// <param name="Vocabulary">Each token, written in GPT-2's byte alphabet, with its id.</param>
/// <param name="Merges">The pairs of tokens to merge, separated by a space, in order of priority.</param>
/// <param name="Added">Tokens matched in the text itself.</param>
/// <param name="EndTokenIds">The tokens that end a text, the usual one first.</param>
/// <param name="Normalizes">Whether text is normalized to Unicode form C.</param>
internal sealed record TokenizerParts(
    IReadOnlyCollection<KeyValuePair<string, int>> Vocabulary,
    IReadOnlyCollection<string> Merges,
    IReadOnlyCollection<AddedToken> Added,
    IReadOnlyList<int> EndTokenIds,
    bool Normalizes)
{
    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public BpeTokenizer ToTokenizer() => new(this);
}
