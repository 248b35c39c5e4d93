namespace Mamba.Managed.Tokenizers;

/// <summary>A merge as one string: two tokens with a space between.</summary>
internal static class TokenizerMerge
{
    /// <summary>The two tokens.</summary>
    /// <exception cref="InvalidDataException">There are not exactly two.</exception>
    public static (string Left, string Right) Parse(string merge)
    {
        int space = merge.IndexOf(' ', StringComparison.Ordinal);
        Throw.Unless(space >= 0 && space == merge.LastIndexOf(' '), $"expected merges of two tokens with a space between and none within, found '{merge}'");
        return (merge[..space], merge[(space + 1)..]);
    }

    /// <summary>The string of two tokens.</summary>
    /// <exception cref="InvalidDataException">One of them contains a space.</exception>
    public static string Join((string Left, string Right) merge)
    {
        Throw.Unless(!merge.Left.Contains(' ', StringComparison.Ordinal) && !merge.Right.Contains(' ', StringComparison.Ordinal), $"expected merges of tokens without spaces, found '{merge.Left}' and '{merge.Right}'");
        return $"{merge.Left} {merge.Right}";
    }
}
