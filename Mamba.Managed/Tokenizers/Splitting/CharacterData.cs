using System.Globalization;
using System.Text;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Which characters belong to a general category or a script, and what equals what when case is ignored.</summary>
/// <remarks>
/// The library contains the tables, because those of .NET change with its version and with the culture data of the process, and the ids of a text
/// would change silently. They are those of Hugging Face's library, whose parts follow different versions of Unicode.
/// </remarks>
internal sealed class CharacterData
{
    private static readonly Lazy<CharacterData> Loaded = new(Read);

    private readonly Dictionary<string, string> lines = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CharacterSet> sets = new(StringComparer.Ordinal);

    private CharacterData(TextReader table)
    {
        for (string? line = table.ReadLine(); line is not null; line = table.ReadLine())
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                lines.Add(line[..equals], line[(equals + 1)..]);
            }
        }

        Folds = [.. lines["#folds"].Split(' ').Select(Points)];
        LongFolds = [.. lines["#longfolds"].Split(' ').Select(fold => fold.Split('>')).Select(parts => (Hexadecimal(parts[0]), Points(parts[1])))];
        Lower = lines["#lower"].Split(' ').Select(pair => pair.Split('>')).ToDictionary(
            parts => Hexadecimal(parts[0]), parts => string.Concat(Points(parts[1]).Select(char.ConvertFromUtf32)));
    }

    /// <summary>The tables; read once.</summary>
    public static CharacterData Instance => Loaded.Value;

    /// <summary>Sets of characters that are equal when case is ignored.</summary>
    public IReadOnlyList<int[]> Folds { get; }

    /// <summary>Characters that equal several others when case is ignored, such as U+00DF and "ss".</summary>
    public IReadOnlyList<(int Character, int[] Long)> LongFolds { get; }

    /// <summary>The lower case of each character that has one.</summary>
    public IReadOnlyDictionary<int, string> Lower { get; }

    /// <summary>The characters of a category, a script or a property, by its name in lower case without spaces, dashes and underscores; null where it is not known.</summary>
    public CharacterSet? Find(string name)
    {
        lock (sets)
        {
            if (sets.TryGetValue(name, out CharacterSet? set))
            {
                return set;
            }

            if (!lines.TryGetValue(name, out string? line))
            {
                return null;
            }

            // A second name of a script has the first one in place of characters.
            set = lines.ContainsKey(line) ? Find(line)! : CharacterSet.Of(line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Range));
            sets.Add(name, set);
            return set;
        }
    }

    private static CharacterData Read()
    {
        using Stream table = typeof(CharacterData).Assembly.GetManifestResourceStream("CharacterData.txt")!;
        using StreamReader reader = new(table, Encoding.ASCII);
        return new(reader);
    }

    private static (int First, int Last) Range(string range)
    {
        int dash = range.IndexOf('-', StringComparison.Ordinal);
        return dash < 0 ? (Hexadecimal(range), Hexadecimal(range)) : (Hexadecimal(range[..dash]), Hexadecimal(range[(dash + 1)..]));
    }

    private static int[] Points(string points) => [.. points.Split('+').Select(Hexadecimal)];

    private static int Hexadecimal(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
