using System.Buffers;
using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Tokenizers;

/// <summary>Finds given texts in another: the leftmost first, the longest of those that begin at one place, none overlapping another.</summary>
/// <remarks>
/// Aho and Corasick 1975, from the end of the text to its beginning, over the texts reversed: what ends there is what begins at a place, and the
/// longest is known there at once. Going forward, a text such as "aab" would be read again for each "a" of "aaaa", in quadratic time.
/// </remarks>
internal sealed class AddedTokenFinder
{
    // Two thousand tokens of a few thousand letters that begin or end alike share most states; honest files have a few thousand.
    private const int MostStates = 1 << 22;
    private const int Root = 0;

    private readonly IReadOnlyList<AddedToken> tokens;
    private readonly PairTable edges = new();
    private readonly List<State> states = [new(Root, '\0', 0)];
    private readonly SearchValues<char> lasts;

    /// <summary>A finder of the contents of tokens, of which the first counts where two are the same.</summary>
    /// <exception cref="InvalidDataException">There are too many, or one is empty.</exception>
    public AddedTokenFinder(IReadOnlyList<AddedToken> tokens)
    {
        this.tokens = tokens;
        lasts = SearchValues.Create([.. tokens.Select(token => token.Content is [.., char last] ? last
            : throw new InvalidDataException(Throw.Invariant($"expected added tokens that are text after normalization, found none for id {token.Id}")))]);
        foreach ((int index, AddedToken token) in tokens.Index())
        {
            Add(token.Content, index);
        }

        Connect();
    }

    /// <summary>Whether there is nothing to find.</summary>
    public bool IsEmpty => tokens.Count == 0;

    /// <summary>The matches in a text, in order.</summary>
    /// <param name="text">The text to search.</param>
    /// <param name="steps">Counts the edges of the automaton that were followed or tried.</param>
    public List<(int Start, AddedToken Token)> Find(ReadOnlySpan<char> text, ref long steps) => WithoutOverlaps(FindAll(text, ref steps));

    /// <summary>The longest match at every place of a text that has one, in order; they may overlap.</summary>
    /// <param name="text">The text to search.</param>
    /// <param name="steps">Counts the edges of the automaton that were followed or tried.</param>
    public List<(int Start, AddedToken Token)> FindAll(ReadOnlySpan<char> text, ref long steps)
    {
        List<(int Start, AddedToken Token)> found = [];
        if (IsEmpty)
        {
            return found;
        }

        int state = Root;
        for (int at = text.Length - 1; at >= 0; at--)
        {
            if (state == Root)
            {
                at = text[..(at + 1)].LastIndexOfAny(lasts);
                if (at < 0)
                {
                    break;
                }
            }

            state = Next(state, text[at], ref steps);
            if (states[state].Longest is var token and >= 0)
            {
                found.Add((at, tokens[token]));
            }
        }

        found.Reverse();
        return found;
    }

    /// <summary>Of matches in order those that do not overlap one before them.</summary>
    public static List<(int Start, AddedToken Token)> WithoutOverlaps(List<(int Start, AddedToken Token)> found)
    {
        int end = 0, kept = 0;
        for (int i = 0; i < found.Count; i++)
        {
            if (found[i].Start >= end)
            {
                found[kept++] = found[i];
                end = found[i].Start + found[i].Token.Content.Length;
            }
        }

        found.RemoveRange(kept, found.Count - kept);
        return found;
    }

    private int Next(int state, char c, ref long steps)
    {
        for (; ; state = states[state].Fallback)
        {
            steps++;
            if (edges.Find(state, c) is var next and >= 0)
            {
                return next;
            }

            if (state == Root)
            {
                return Root;
            }
        }
    }

    private void Add(string content, int token)
    {
        int state = Root;
        for (int i = content.Length - 1; i >= 0; i--)
        {
            int next = edges.Find(state, content[i]);
            if (next < 0)
            {
                next = states.Count;
                Throw.Unless(next < MostStates, $"expected added tokens of at most {MostStates} characters together, not counting equal ends, found more");
                states.Add(new(state, content[i], states[state].Depth + 1));
                edges.TryAdd(state, content[i], next);
            }

            state = next;
        }

        if (states[state].Longest < 0)
        {
            states[state] = states[state] with { Longest = token };
        }
    }

    // From shorter beginnings to longer ones: where each falls back to, and the longest token that ends with it.
    private void Connect()
    {
        int[] order = [.. Enumerable.Range(1, states.Count - 1)];
        Array.Sort([.. order.Select(state => states[state].Depth)], order);
        long steps = 0;
        foreach (int index in order)
        {
            State state = states[index];
            int fallback = state.Parent == Root ? Root : Next(states[state.Parent].Fallback, state.Character, ref steps);
            states[index] = state with { Fallback = fallback, Longest = state.Longest >= 0 ? state.Longest : states[fallback].Longest };
        }
    }

    private readonly record struct State(int Parent, char Character, int Depth)
    {
        public int Fallback { get; init; }

        public int Longest { get; init; } = -1;
    }
}
