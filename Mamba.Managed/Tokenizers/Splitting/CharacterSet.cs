namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>A set of code points; surrogates are in none.</summary>
/// <remarks>Immutable: the sorted ranges decide; the table of the first 65,536 code points, made when a text is first matched, answers faster.</remarks>
internal sealed class CharacterSet
{
    public const int Last = 0x10FFFF;

    private const int FirstAstral = 0x10000, FirstSurrogate = 0xD800, LastSurrogate = 0xDFFF;

    private readonly (int First, int Last)[] ranges;
    private ulong[]? bits;

    private CharacterSet((int First, int Last)[] ranges) => this.ranges = ranges;

    public static CharacterSet Empty { get; } = new([]);

    public static CharacterSet All { get; } = Empty.Complement();

    public bool IsEmpty => ranges.Length == 0;

    public IReadOnlyList<(int First, int Last)> Ranges => ranges;

    /// <summary>One bit for each code point below 65,536.</summary>
    public ulong[] Bits => bits ?? MakeBits();

    public static CharacterSet Of(int point) => Of([(point, point)]);

    public static CharacterSet Range(int first, int last) => Of([(first, last)]);

    /// <summary>The set of ranges in any order; they may overlap.</summary>
    public static CharacterSet Of(IEnumerable<(int First, int Last)> ranges)
    {
        (int First, int Last)[] sorted = [.. ranges];
        Array.Sort(sorted, (one, other) => one.First.CompareTo(other.First));
        return Merge(sorted);
    }

    public CharacterSet Union(CharacterSet other)
    {
        if (IsEmpty || other.IsEmpty)
        {
            return IsEmpty ? other : this;
        }

        List<(int First, int Last)> both = new(ranges.Length + other.ranges.Length);
        for (int i = 0, j = 0; i < ranges.Length || j < other.ranges.Length;)
        {
            both.Add(j == other.ranges.Length || (i < ranges.Length && ranges[i].First <= other.ranges[j].First) ? ranges[i++] : other.ranges[j++]);
        }

        return Merge(both);
    }

    public CharacterSet Complement()
    {
        List<(int First, int Last)> gaps = [];
        int next = 0;
        foreach ((int first, int last) in ranges)
        {
            if (first > next)
            {
                gaps.Add((next, first - 1));
            }

            next = last + 1;
        }

        if (next <= Last)
        {
            gaps.Add((next, Last));
        }

        return Merge(gaps);
    }

    public CharacterSet Intersect(CharacterSet other)
    {
        List<(int First, int Last)> common = [];
        for (int i = 0, j = 0; i < ranges.Length && j < other.ranges.Length;)
        {
            int first = Math.Max(ranges[i].First, other.ranges[j].First), last = Math.Min(ranges[i].Last, other.ranges[j].Last);
            if (first <= last)
            {
                common.Add((first, last));
            }

            if (ranges[i].Last < other.ranges[j].Last)
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return new([.. common]);
    }

    public bool Contains(int point)
    {
        if (bits is not null && (uint)point < FirstAstral)
        {
            return (bits[point >> 6] >> (point & 63) & 1) != 0;
        }

        int low = 0, high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (point < ranges[middle].First)
            {
                high = middle - 1;
            }
            else if (point > ranges[middle].Last)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The number of UTF-16 units of the character at a position if it is in the set, otherwise 0.</summary>
    public int Match(ReadOnlySpan<char> text, int at)
    {
        if ((uint)at >= (uint)text.Length)
        {
            return 0;
        }

        char unit = text[at];
        if ((Bits[unit >> 6] >> (unit & 63) & 1) != 0)
        {
            return 1;
        }

        return char.IsHighSurrogate(unit) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) && Contains(char.ConvertToUtf32(unit, text[at + 1])) ? 2 : 0;
    }

    /// <summary>The end of a run of at most so many characters of the set.</summary>
    public int Run(ReadOnlySpan<char> text, int at, int most)
    {
        ulong[] table = Bits;
        for (int left = most; left > 0 && (uint)at < (uint)text.Length; left--)
        {
            char unit = text[at];
            if ((table[unit >> 6] >> (unit & 63) & 1) != 0)
            {
                at++;
            }
            else if (char.IsHighSurrogate(unit) && Match(text, at) == 2)
            {
                at += 2;
            }
            else
            {
                break;
            }
        }

        return at;
    }

    /// <summary>The end of exactly so many characters of the set; -1 where there are fewer.</summary>
    public int Count(ReadOnlySpan<char> text, int at, int count)
    {
        for (int length; count > 0; count--, at += length)
        {
            length = Match(text, at);
            if (length == 0)
            {
                return -1;
            }
        }

        return at;
    }

    /// <summary>Whether the set is one UTF-16 unit.</summary>
    public bool IsUnit(out char unit)
    {
        unit = ranges.Length == 1 ? (char)ranges[0].First : default;
        return ranges.Length == 1 && ranges[0].First == ranges[0].Last && ranges[0].First < FirstAstral;
    }

    // Ranges in ascending order, which may overlap, without surrogates.
    private static CharacterSet Merge(IReadOnlyList<(int First, int Last)> sorted)
    {
        List<(int First, int Last)> merged = new(sorted.Count);
        foreach ((int first, int last) in sorted)
        {
            if (first <= LastSurrogate && last >= FirstSurrogate)
            {
                Append(merged, first, FirstSurrogate - 1);
                Append(merged, LastSurrogate + 1, last);
            }
            else
            {
                Append(merged, first, last);
            }
        }

        return new([.. merged]);
    }

    private static void Append(List<(int First, int Last)> merged, int first, int last)
    {
        if (merged.Count > 0 && first <= last && first <= merged[^1].Last + 1)
        {
            merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
        }
        else if (first <= last)
        {
            merged.Add((first, last));
        }
    }

    // Two threads may both make the table; they make the same one.
    private ulong[] MakeBits()
    {
        ulong[] table = new ulong[FirstAstral / 64];
        foreach ((int first, int last) in ranges)
        {
            // Whole words of 64 at once, single bits at the ends of a range.
            for (int point = first, end = Math.Min(last, FirstAstral - 1); point <= end;)
            {
                bool isWord = (point & 63) == 0 && end - point >= 63;
                table[point >> 6] |= isWord ? ulong.MaxValue : 1UL << (point & 63);
                point += isWord ? 64 : 1;
            }
        }

        return bits = table;
    }
}
