using System.Text;

namespace Mamba.Managed.Templates;

/// <summary>Capitals and small letters.</summary>
internal static class TextCase
{
    /// <summary>A text in capitals; the German sharp s becomes two.</summary>
    public static string Upper(string text) => text.ToUpperInvariant().Replace("ß", "SS", StringComparison.Ordinal);

    /// <summary>A text in small letters.</summary>
    public static string Lower(string text) => text.ToLowerInvariant();

    /// <summary>A text with its first character a capital and the others small.</summary>
    public static string Capitalize(string text)
    {
        int first = CodePoints.Offset(text, 1);
        return Begin(text[..first]) + Lower(text[first..]);
    }

    /// <summary>A text with each run of letters capitalized.</summary>
    public static string Title(string text)
    {
        StringBuilder result = new(text.Length);
        bool isInWord = false;
        foreach (string point in CodePoints.Of(text))
        {
            result.Append(isInWord ? Lower(point) : Begin(point));
            isInWord = Rune.TryGetRuneAt(point, 0, out Rune rune) && (Rune.IsUpper(rune) || Rune.IsLower(rune));
        }

        return result.ToString();
    }

    /// <summary>A text with capitals and small letters exchanged.</summary>
    public static string Swap(string text) => string.Concat(CodePoints.Of(text).Select(point => Lower(point) != point ? Lower(point) : Upper(point)));

    private static string Begin(string point) => point == "ß" ? "Ss" : Upper(point);
}
