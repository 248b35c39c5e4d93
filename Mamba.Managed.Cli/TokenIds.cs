using System.Globalization;

namespace Mamba.Managed.Cli;

/// <summary>Token ids as a person writes them.</summary>
internal static class TokenIds
{
    private static readonly char[] Separators = [' ', ',', '\t', '\r', '\n', '[', ']'];

    /// <exception cref="ArgumentException">Something is no id, or there is none.</exception>
    public static int[] Parse(string text)
    {
        int[] ids = [.. text.Split(Separators, StringSplitOptions.RemoveEmptyEntries).Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new ArgumentException($"expected token ids with spaces between, found '{part}'"))];
        return ids.Length > 0 ? ids : throw new ArgumentException("expected at least one token id, found none");
    }
}
