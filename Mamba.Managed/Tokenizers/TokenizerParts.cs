using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Tokenizers;

/// <summary>The parts of a BPE tokenizer, as <c>tokenizer.json</c> and GGUF files store them.</summary>
/// <param name="Vocabulary">Each token with its id; byte-level vocabularies are written in GPT-2's byte alphabet.</param>
/// <param name="Merges">The pairs of tokens to merge, in order of priority.</param>
/// <param name="Added">Tokens matched in the text itself.</param>
/// <param name="EndTokenIds">The tokens that end a text, the usual one first.</param>
/// <param name="Steps">What happens before and after merging.</param>
internal sealed record TokenizerParts(
    IReadOnlyCollection<KeyValuePair<string, int>> Vocabulary,
    IReadOnlyCollection<(string Left, string Right)> Merges,
    IReadOnlyCollection<AddedToken> Added,
    IReadOnlyList<int> EndTokenIds,
    TokenizerSteps Steps)
{
    /// <summary>The rank of each merge, where some share one; null where the rank is the place in the list.</summary>
    public IReadOnlyList<int>? Ranks { get; init; }

    /// <summary>How merging treats what is special.</summary>
    public BpeOptions Options { get; init; } = new();

    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public BpeTokenizer ToTokenizer()
    {
        try
        {
            return new(this);
        }
        catch (InvalidOperationException error)
        {
            // A step holds a string that is not valid UTF-8 or half a surrogate pair.
            throw new InvalidDataException($"expected a tokenizer in JSON: {error.Message}", error);
        }
    }
}
