namespace Mamba.Managed.Generation;

/// <summary>Searches a stream of text for stop strings, and holds back text that could still become one.</summary>
/// <remarks>
/// One automaton for each string (Knuth, Morris and Pratt 1977), so the work per character does not depend on the text held back. Of several
/// strings the one completed first stops the stream; of those completed together, the longest.
/// </remarks>
internal sealed class StopMatcher
{
    private readonly string[] stops;
    private readonly int[][] fallbacks;
    private readonly int[] matched;
    private char[] held = new char[64];
    private int heldCount;
    private int emitted;

    /// <summary>A matcher at the beginning of a stream.</summary>
    /// <param name="stops">None of them empty; an empty list lets every text through.</param>
    /// <exception cref="ArgumentException">A stop string is empty.</exception>
    public StopMatcher(IReadOnlyList<string> stops)
    {
        ArgumentNullException.ThrowIfNull(stops);
        if (stops.Any(string.IsNullOrEmpty))
        {
            Throw.Argument("expected stop strings of at least one character, found an empty one", nameof(stops));
        }

        this.stops = [.. stops];
        fallbacks = Array.ConvertAll(this.stops, FallbacksOf);
        matched = new int[this.stops.Length];
    }

    /// <summary>How many stop strings there are.</summary>
    public int Count => stops.Length;

    /// <summary>Whether a stop string has appeared; whatever follows is dropped.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Text that may still become a stop string; valid until the next call.</summary>
    public ReadOnlySpan<char> Held => held.AsSpan(emitted, heldCount - emitted);

    /// <summary>Takes the next piece of text and returns the text that cannot belong to a stop string.</summary>
    /// <param name="piece">The next characters of the stream.</param>
    /// <returns>Text before any stop string; valid until the next call.</returns>
    public ReadOnlySpan<char> Append(ReadOnlySpan<char> piece)
    {
        if (IsStopped)
        {
            return [];
        }

        held.AsSpan(emitted, heldCount - emitted).CopyTo(held);
        (heldCount, emitted) = (heldCount - emitted, 0);
        if (held.Length < heldCount + piece.Length)
        {
            Array.Resize(ref held, Math.Max(2 * held.Length, heldCount + piece.Length));
        }

        foreach (char c in piece)
        {
            held[heldCount++] = c;
            int complete = Advance(c);
            if (complete > 0)
            {
                IsStopped = true;
                heldCount -= complete;
                emitted = heldCount;
                return held.AsSpan(0, heldCount);
            }
        }

        emitted = heldCount - (matched.Length == 0 ? 0 : matched.Max());
        return held.AsSpan(0, emitted);
    }

    /// <summary>The end of the stream: what was held back and became no stop string; valid until the next call.</summary>
    public ReadOnlySpan<char> Flush()
    {
        ReadOnlySpan<char> rest = held.AsSpan(emitted, heldCount - emitted);
        (heldCount, emitted) = (0, 0);
        Array.Clear(matched);
        return rest;
    }

    // Advances every automaton by a character; returns the length of the longest string completed, or 0.
    private int Advance(char c)
    {
        int longest = 0;
        for (int i = 0; i < stops.Length; i++)
        {
            string stop = stops[i];
            int length = matched[i];
            while (length > 0 && stop[length] != c)
            {
                length = fallbacks[i][length - 1];
            }

            length += stop[length] == c ? 1 : 0;
            matched[i] = length;
            longest = length == stop.Length ? Math.Max(longest, length) : longest;
        }

        return longest;
    }

    // Entry n: how much of the string's beginning still matches after n + 1 characters matched and the next one does not.
    private static int[] FallbacksOf(string stop)
    {
        int[] fallbacks = new int[stop.Length];
        for (int i = 1, length = 0; i < stop.Length; i++)
        {
            while (length > 0 && stop[i] != stop[length])
            {
                length = fallbacks[length - 1];
            }

            length += stop[i] == stop[length] ? 1 : 0;
            fallbacks[i] = length;
        }

        return fallbacks;
    }
}
