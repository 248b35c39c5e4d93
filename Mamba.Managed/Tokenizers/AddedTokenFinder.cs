using System.Buffers;

namespace Mamba.Managed.Tokenizers;

/// <summary>Finds added tokens in a text: the leftmost match, and among matches at one place the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<char, AddedToken[]> byFirst;
    private readonly SearchValues<char> firsts;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        byFirst = tokens
            .GroupBy(token => token.Content[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());
        firsts = SearchValues.Create([.. byFirst.Keys]);
    }

    /// <summary>The next added token in <paramref name="text"/>, or null.</summary>
    /// <param name="text">The text to search.</param>
    /// <param name="at">Where the token begins; the length of the text where there is none.</param>
    public AddedToken? Next(ReadOnlySpan<char> text, out int at)
    {
        for (at = 0; at < text.Length; at++)
        {
            int skipped = text[at..].IndexOfAny(firsts);
            if (skipped < 0)
            {
                break;
            }

            at += skipped;
            foreach (AddedToken token in byFirst[text[at]])
            {
                if (text[at..].StartsWith(token.Content, StringComparison.Ordinal))
                {
                    return token;
                }
            }
        }

        at = text.Length;
        return null;
    }
}
