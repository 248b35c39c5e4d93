using System.Buffers;
using System.Globalization;
using System.Text;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>The normalization forms C, D, KC and KD of Unicode Standard Annex 15.</summary>
/// <remarks>
/// <see cref="string.Normalize()"/> does nothing in a process without culture data, as in many containers, and the ids of a text would change silently;
/// so the library contains the tables, of the Unicode version of Hugging Face's library.
/// </remarks>
internal sealed class UnicodeForm : INormalizer
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, Syllables = Leads * Vowels * Trails;

    private static readonly Lazy<Tables> Loaded = new(Tables.Read);

    private readonly Tables tables = Loaded.Value;
    private readonly bool isCompatibility, composes;

    // Characters below this one are normalized already, and none of them combines.
    private readonly char firstAffected;

    private UnicodeForm(bool isCompatibility, bool composes)
    {
        (this.isCompatibility, this.composes) = (isCompatibility, composes);
        firstAffected = isCompatibility ? '\u00A0' : composes ? '\u0300' : '\u00C0';
    }

    public static UnicodeForm C => new(isCompatibility: false, composes: true);

    public static UnicodeForm D => new(isCompatibility: false, composes: false);

    public static UnicodeForm KC => new(isCompatibility: true, composes: true);

    public static UnicodeForm KD => new(isCompatibility: true, composes: false);

    /// <inheritdoc/>
    public string Normalize(string text, int most)
    {
        if (!text.AsSpan().ContainsAnyInRange(firstAffected, char.MaxValue))
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
        foreach (int point in composes ? Compose(points) : points)
        {
            normal.Append(units[..new Rune(point).EncodeToUtf16(units)]);
        }

        return normal.ToString();
    }

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
        else if ((isCompatibility && tables.Compatible.TryGetValue(point, out int[]? parts)) || tables.Canonical.TryGetValue(point, out parts))
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

        return tables.Compositions.TryGetValue((first, second), out int whole) ? whole : null;
    }

    private int ClassOf(int point) => tables.Classes.GetValueOrDefault(point);

    private sealed class Tables
    {
        public Dictionary<int, int[]> Canonical { get; } = [];

        public Dictionary<int, int[]> Compatible { get; } = [];

        public Dictionary<(int First, int Second), int> Compositions { get; } = [];

        public Dictionary<int, int> Classes { get; } = [];

        public static Tables Read()
        {
            Tables tables = new();
            using Stream resource = typeof(UnicodeForm).Assembly.GetManifestResourceStream("NormalizationData.txt")!;
            using StreamReader reader = new(resource, Encoding.ASCII);
            for (string? line = reader.ReadLine(); line is not null; line = reader.ReadLine())
            {
                if (!line.StartsWith('#'))
                {
                    tables.Add(line);
                }
            }

            return tables;
        }

        private void Add(string line)
        {
            int sign = line.AsSpan().IndexOfAny('=', '~', '-');
            int point = Hexadecimal(line[..sign]);
            string rest = line[(sign + 1)..];
            if (line[sign] == '-')
            {
                int colon = rest.IndexOf(':', StringComparison.Ordinal);
                for (; point <= Hexadecimal(rest[..colon]); point++)
                {
                    Classes.Add(point, int.Parse(rest[(colon + 1)..], CultureInfo.InvariantCulture));
                }

                return;
            }

            int[] parts = [.. rest.TrimEnd('!').Split(' ').Select(Hexadecimal)];
            (line[sign] == '~' ? Compatible : Canonical).Add(point, parts);
            if (line[sign] == '=' && !rest.EndsWith('!'))
            {
                Compositions.Add((parts[0], parts[1]), point);
            }
        }

        private static int Hexadecimal(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
