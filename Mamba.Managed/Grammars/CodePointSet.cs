using System.Collections.Immutable;

namespace Mamba.Managed.Grammars;

/// <summary>A range of Unicode code points, both ends included.</summary>
internal readonly record struct CodePointRange(int First, int Last);

/// <summary>A set of Unicode characters; halves of surrogate pairs are never members, as UTF-8 has none.</summary>
internal sealed class CodePointSet
{
    private const int Last = 0x10FFFF;
    private static readonly CodePointRange[] NoSurrogates = [new(0, 0xD7FF), new(0xE000, Last)];

    private CodePointSet(ImmutableArray<CodePointRange> ranges) => Ranges = ranges;

    /// <summary>Every character.</summary>
    public static CodePointSet All { get; } = Of(new CodePointRange(0, Last));

    /// <summary>Ascending, apart from each other.</summary>
    public ImmutableArray<CodePointRange> Ranges { get; }

    /// <summary>Whether there is no member.</summary>
    public bool IsEmpty => Ranges.IsEmpty;

    /// <summary>The union of ranges.</summary>
    public static CodePointSet Of(params IEnumerable<CodePointRange> ranges) => new(Intersect(Merge(ranges), NoSurrogates));

    /// <summary>The characters of a text.</summary>
    public static CodePointSet OfCharacters(string text) => Of(text.EnumerateRunes().Select(rune => new CodePointRange(rune.Value, rune.Value)));

    /// <summary>All characters that are not in this set.</summary>
    public CodePointSet Negate()
    {
        List<CodePointRange> others = [];
        int from = 0;
        foreach ((int first, int last) in Ranges)
        {
            if (first > from)
            {
                others.Add(new(from, first - 1));
            }

            from = last + 1;
        }

        if (from <= Last)
        {
            others.Add(new(from, Last));
        }

        return Of(others);
    }

    /// <summary>The characters of both sets.</summary>
    public CodePointSet And(CodePointSet other) => new(Intersect([.. Ranges], [.. other.Ranges]));

    /// <summary>The characters of this set that the other lacks.</summary>
    public CodePointSet Except(CodePointSet other) => And(other.Negate());

    /// <summary>The characters of either set.</summary>
    public CodePointSet Or(CodePointSet other) => Of(Ranges.Concat(other.Ranges));

    private static CodePointRange[] Merge(IEnumerable<CodePointRange> ranges)
    {
        List<CodePointRange> merged = [];
        foreach (CodePointRange range in ranges.Where(range => range.First <= range.Last).OrderBy(range => range.First))
        {
            if (merged is [.., CodePointRange last] && range.First <= last.Last + 1)
            {
                merged[^1] = new(last.First, Math.Max(last.Last, range.Last));
            }
            else
            {
                merged.Add(range);
            }
        }

        return [.. merged];
    }

    private static ImmutableArray<CodePointRange> Intersect(CodePointRange[] left, CodePointRange[] right)
    {
        ImmutableArray<CodePointRange>.Builder both = ImmutableArray.CreateBuilder<CodePointRange>();
        for (int i = 0, j = 0; i < left.Length && j < right.Length;)
        {
            (int first, int last) = (Math.Max(left[i].First, right[j].First), Math.Min(left[i].Last, right[j].Last));
            if (first <= last)
            {
                both.Add(new(first, last));
            }

            if (left[i].Last < right[j].Last)
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return both.ToImmutable();
    }
}
