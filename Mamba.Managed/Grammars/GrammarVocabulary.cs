using System.Runtime.CompilerServices;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Grammars;

/// <summary>The tokens of a tokenizer as grammars see them: by their bytes, without those that are no text.</summary>
/// <remarks>
/// Make one for each tokenizer and keep it; it never changes, and any number of threads may use it at once. It keeps what was found out about the tokens
/// of each grammar, within a bounded memory, as long as that grammar lives.
/// </remarks>
public sealed class GrammarVocabulary
{
    private readonly ConditionalWeakTable<Grammar, GrammarMasks> masks = [];
    private readonly byte[][] bytes;

    /// <summary>Sorts the tokens of a tokenizer by their bytes.</summary>
    /// <param name="tokenizer">Its control tokens and the tokens that end a text are never text.</param>
    public GrammarVocabulary(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Size = tokenizer.VocabularySize;
        bytes = new byte[Size][];
        HashSet<int> ends = [.. tokenizer.EndTokenIds];
        List<int> tokens = [];
        for (int token = 0; token < Size; token++)
        {
            bytes[token] = ends.Contains(token) || tokenizer.IsControl(token) ? [] : tokenizer.BytesOf(token).ToArray();
            if (bytes[token].Length > 0)
            {
                tokens.Add(token);
            }
        }

        Trie = new(tokens, token => bytes[token]);
    }

    /// <summary>One more than the largest id.</summary>
    public int Size { get; }

    internal TokenTrie Trie { get; }

    /// <summary>The bytes of a token; empty for one that is no text.</summary>
    internal ReadOnlySpan<byte> BytesOf(int token) => bytes[token];

    internal GrammarMasks MasksOf(Grammar grammar) => masks.GetValue(grammar, key => new(key.Automaton, this));
}
