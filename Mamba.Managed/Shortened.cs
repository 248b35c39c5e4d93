namespace Mamba.Managed;

/// <summary>Names and lists from files, cut to a length that an error of one line can bear.</summary>
internal static class Shortened
{
    private const int MostItems = 12;
    private const int MostCharacters = 120;

    /// <summary>The beginning of a text that is longer than an error bears.</summary>
    public static string Text(string text) => text.Length <= MostCharacters ? text : string.Concat(text.AsSpan(0, WholeUpTo(text)), "...");

    /// <summary>The first dozen of a list, and how many more there are.</summary>
    public static string List(IEnumerable<string> items, string separator = ", ")
    {
        string[] all = [.. items];
        string first = string.Join(separator, all.Take(MostItems).Select(Text));
        return all.Length <= MostItems ? first : Throw.Invariant($"{first} and {all.Length - MostItems} more");
    }

    /// <summary>The first dozen of a list as they are, and how many more there are.</summary>
    public static IReadOnlyList<string> Items(IEnumerable<string> items)
    {
        string[] all = [.. items];
        return all.Length <= MostItems ? all : [.. all.Take(MostItems), Throw.Invariant($"and {all.Length - MostItems} more")];
    }

    // A pair of surrogates is not cut in two.
    private static int WholeUpTo(string text) => char.IsHighSurrogate(text[MostCharacters - 1]) ? MostCharacters - 1 : MostCharacters;
}
