using System.Globalization;
using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>Unicode normalization form C: a letter and its combining marks become one character where one exists.</summary>
/// <remarks>
/// Unicode Standard Annex 15. <see cref="string.Normalize()"/> does nothing in a process without culture data, as in many containers, and the ids
/// of a text would change silently; so the library contains the tables.
/// </remarks>
internal sealed class CanonicalComposition
{
    // Characters below U+0300 are normalized already, and none of them combines.
    private const char FirstMark = '\u0300';

    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    private readonly Dictionary<int, int[]> decompositions = [];
    private readonly Dictionary<(int First, int Second), int> compositions = [];
    private readonly Dictionary<int, int> classes = [];

    private CanonicalComposition(TextReader table)
    {
        for (string? line = table.ReadLine(); line is not null; line = table.ReadLine())
        {
            if (line.StartsWith('#'))
            {
                continue;
            }

            if (line.IndexOf('=') is > 0 and int equals)
            {
                bool final = line.EndsWith('!');
                int[] parts = [.. line[(equals + 1)..].TrimEnd('!').Split(' ').Select(Hexadecimal)];
                int whole = Hexadecimal(line[..equals]);
                decompositions.Add(whole, parts);
                if (!final)
                {
                    compositions.Add((parts[0], parts[1]), whole);
                }
            }
            else
            {
                int dash = line.IndexOf('-'), colon = line.IndexOf(':');
                int combining = int.Parse(line[(colon + 1)..], CultureInfo.InvariantCulture);
                for (int point = Hexadecimal(line[..dash]); point <= Hexadecimal(line[(dash + 1)..colon]); point++)
                {
                    classes.Add(point, combining);
                }
            }
        }
    }

    /// <summary>Reads the tables from the library's resources.</summary>
    public static CanonicalComposition Load()
    {
        using Stream table = typeof(CanonicalComposition).Assembly.GetManifestResourceStream("NormalizationData.txt")!;
        using StreamReader reader = new(table, Encoding.ASCII);
        return new(reader);
    }

    /// <summary><paramref name="text"/> in form C; it must not contain lone surrogates.</summary>
    public string Normalize(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange(FirstMark, char.MaxValue))
        {
            return text;
        }

        List<int> points = new(text.Length + 8);
        foreach (Rune rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, points);
        }

        Order(points);
        StringBuilder normal = new(text.Length);
        Span<char> units = stackalloc char[2];
        foreach (int point in Compose(points))
        {
            normal.Append(units[..new Rune(point).EncodeToUtf16(units)]);
        }

        return normal.ToString();
    }

    private static int Hexadecimal(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private void Decompose(int point, List<int> points)
    {
        int syllable = point - HangulBase;
        if ((uint)syllable < Syllables)
        {
            points.Add(LeadBase + (syllable / (Vowels * Trails)));
            points.Add(VowelBase + (syllable / Trails % Vowels));
            if (syllable % Trails != 0)
            {
                points.Add(TrailBase + (syllable % Trails));
            }
        }
        else if (decompositions.TryGetValue(point, out int[]? parts))
        {
            foreach (int part in parts)
            {
                Decompose(part, points);
            }
        }
        else
        {
            points.Add(point);
        }
    }

    // Between characters of class 0, marks are sorted by their combining class; the sort is stable.
    private void Order(List<int> points)
    {
        for (int start = 0; start < points.Count; start++)
        {
            int end = start;
            while (end < points.Count && ClassOf(points[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                int[] sorted = [.. points.GetRange(start, end - start).OrderBy(ClassOf)];
                for (int i = 0; i < sorted.Length; i++)
                {
                    points[start + i] = sorted[i];
                }
            }

            start = end;
        }
    }

    private List<int> Compose(List<int> points)
    {
        List<int> composed = new(points.Count);
        int starter = -1, last = 0;
        foreach (int point in points)
        {
            int combining = ClassOf(point);

            // A mark is blocked if a starter, or a mark of its own or a higher class, stands between it and the last starter.
            bool reaches = starter >= 0 && (last < combining || starter == composed.Count - 1);
            if (reaches && Pair(composed[starter], point) is int whole)
            {
                composed[starter] = whole;
                continue;
            }

            if (combining == 0)
            {
                starter = composed.Count;
            }

            last = combining;
            composed.Add(point);
        }

        return composed;
    }

    private int? Pair(int first, int second)
    {
        if ((uint)(first - LeadBase) < Leads && (uint)(second - VowelBase) < Vowels)
        {
            return HangulBase + ((((first - LeadBase) * Vowels) + (second - VowelBase)) * Trails);
        }

        int syllable = first - HangulBase;
        if ((uint)syllable < Syllables && syllable % Trails == 0 && second - TrailBase is > 0 and < Trails)
        {
            return first + (second - TrailBase);
        }

        return compositions.TryGetValue((first, second), out int whole) ? whole : null;
    }

    private int ClassOf(int point) => point < FirstMark ? 0 : classes.GetValueOrDefault(point);
}
